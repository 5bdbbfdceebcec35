"""What a materialisation is to do, read from its input document."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from tidemill.store import layout
from tidemill.store.addresses import AllowedNetworks
from tidemill.store.database_addresses import DatabaseAddresses
from tidemill.store.online import Table
from tidemill.store.online_server import OnlineServer
from tidemill_runner import inputs
from tidemill_runner.inputs import DatasetVersion, Identity


@dataclass(frozen=True)
class MaterialiseInput:
    """A version whose newest rows, as of `moment`, an online store is to have.

    `moment` is in microseconds since 1970, `ttl` in milliseconds; `secret` is the name of the
    Secret with the login. Who has a smaller `sequence` may not write.
    """

    identity: Identity
    version: DatasetVersion
    key: tuple[str, ...]
    timestamp: str
    server: OnlineServer
    secret: str | None
    sequence: int
    moment: int
    ttl: int | None = None

    @property
    def table(self) -> Table:
        """Where the rows are."""
        return Table(self.identity.namespace, self.identity.name)

    def other(self, version: str) -> DatasetVersion:
        """Another version of the same Dataset."""
        manifest = layout.manifest_key(self.identity.namespace, self.identity.name, version)
        return replace(self.version, version=version, manifest=manifest)


def read(document: Mapping[str, Any]) -> MaterialiseInput:
    """Read it; raises what `document.load` translates."""
    server, entity = document["server"], document["entity"]
    allowed = AllowedNetworks.parse(server.get("allowedNetworks") or ())
    ttl = document.get("ttl")
    return MaterialiseInput(
        identity=inputs.identity(document, "Dataset"),
        version=inputs.version(document["version"], inputs.folder(document["cas"])),
        key=tuple(entity["key"]),
        timestamp=entity["timestamp"],
        server=OnlineServer(
            server["host"],
            int(server["port"]),
            server["tls"],
            DatabaseAddresses(allowed, server.get("apiServer")),
        ),
        secret=server.get("secret"),
        sequence=int(document["sequence"]),
        moment=int(document["moment"]),
        ttl=None if ttl is None else int(ttl),
    )
