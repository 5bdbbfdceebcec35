"""A source `sql` on a real server: asked by the operator's probe, read by the runner."""

import io
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from tests.contract.postgres_server import DATABASE, PASSWORD, READER, PostgresServer
from tests.contract.workbench import NAMESPACE, Outcome, Workbench

from tidemill.api.v1alpha1.sources import SqlSource
from tidemill.dataset.database_probe import DatabaseProbe
from tidemill.dataset.observed import Listing, SourceProblem
from tidemill.store import layout
from tidemill.store.addresses import AllowedNetworks
from tidemill.store.postgres import Login

SECRET = "db-reader"
LOCAL = ("127.0.0.0/8", "::1/128")


@dataclass(frozen=True)
class Plant:
    """What a Dataset's author writes, and what the Secret holds."""

    server: PostgresServer
    workbench: Workbench
    secret: Mapping[str, str]
    networks: tuple[str, ...] = LOCAL
    spec: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def of(cls, server: PostgresServer, workbench: Workbench) -> "Plant":
        secret = {"username": READER, "password": PASSWORD, "ca.crt": server.authority}
        return cls(server, workbench, secret)

    def having(self, **changes: Any) -> "Plant":
        """The same with other fields of the spec."""
        return replace(self, spec={**self.spec, **changes})

    def knowing(self, **changes: str) -> "Plant":
        """The same with other keys in the Secret."""
        return replace(self, secret={**self.secret, **changes})

    @property
    def source(self) -> SqlSource:
        usual = {
            "engine": "PostgreSQL",
            "host": "localhost",
            "port": self.server.port,
            "database": DATABASE,
            "query": "SELECT * FROM readings",
            "credentialsRef": {"name": SECRET},
        }
        return SqlSource.model_validate({**usual, **self.spec})

    async def ask(self) -> Listing | SourceProblem:
        secret = self.secret
        login = Login(SECRET, secret["username"], secret["password"], secret.get("ca.crt", ""))
        return await DatabaseProbe(AllowedNetworks.parse(self.networks), login).ask(self.source)

    def ingest(self, **changes: Any) -> Outcome:
        source = self.source
        document = {
            "kind": "Sql",
            **{
                name: getattr(source, name) for name in ("host", "port", "database", "query", "tls")
            },
            "maxBytes": changes.pop("max_bytes", 1 << 30),
            "secret": SECRET,
            "allowedNetworks": list(self.networks),
            "apiServer": None,
        }
        bench = replace(self.workbench, secret=self.secret)
        return bench.ingest(source=document, fingerprint="sha256:seen", **changes)

    def table(self, outcome: Outcome) -> pa.Table:
        """The rows of a version as they were stored."""
        manifest = self.workbench.read(outcome.result["manifest"]).decode().splitlines()
        assert len(manifest) == 2, manifest
        digest = outcome_digest(manifest[1])
        data = self.workbench.read(layout.cas_key(layout.cas_prefix(NAMESPACE), digest))
        return pq.read_table(io.BytesIO(data))


def outcome_digest(line: str) -> str:
    start = line.index("sha256:")
    return line[start : start + 71]
