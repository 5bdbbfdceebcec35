"""A feature table and its online store: versions are made in memory, the store is a real one."""

import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast

import pyarrow as pa
import pyarrow.parquet as pq
from tests.contract.redis_server import PASSWORD, USER, RedisServer
from tests.unit.runner.workshop import NOW, Workshop

from tidemill.store import layout, online
from tidemill.store.online_server import OnlineLogin
from tidemill_runner import document as documents
from tidemill_runner import inputs
from tidemill_runner.database import Limits
from tidemill_runner.materialise import Materialise
from tidemill_runner.online_input import MaterialiseInput
from tidemill_runner.progress import Progress, Subject
from tidemill_runner.storage import Storage

ENTITY = {"key": ["site"], "timestamp": "ts"}
TABLE = online.Table("ns", "power")
LOCAL = ("127.0.0.0/8", "::1/128")
SECRET = "online-login"


def moment(text: str) -> int:
    """A time of day of 2026-01-01 and the like, in microseconds."""
    return online.microseconds(datetime.fromisoformat(text).replace(tzinfo=UTC))


LATE = moment("2030-01-01")


@dataclass
class OnlineTable:
    """One Dataset; what a Job would be told, and by which login it comes."""

    folder: Path
    server: RedisServer
    entity: Mapping[str, Any] = field(default_factory=lambda: dict(ENTITY))
    login: Mapping[str, str] = field(
        default_factory=lambda: {"username": USER, "password": PASSWORD}
    )
    place: dict[str, Any] = field(default_factory=dict)
    sequence: int = 0
    _made: int = 0

    def __post_init__(self) -> None:
        self.workshop = Workshop(self._new())

    def version(self, data: str) -> dict[str, Any]:
        """Make a version of CSV."""
        workshop = Workshop(self._new(), store=self.workshop.store)
        workshop.deliver(data_csv=data)
        made = workshop.ingest(entity=dict(self.entity))
        assert not made.get("rejected"), made["rejected"]
        return made

    def parquet(self, rows: pa.Table) -> dict[str, Any]:
        """Make a version of a table."""
        workshop = Workshop(self._new(), store=self.workshop.store, format="Parquet")
        file = io.BytesIO()
        pq.write_table(rows, file)
        workshop.deliver(data_parquet=file.getvalue())
        made = workshop.ingest(entity=dict(self.entity))
        assert not made.get("rejected"), made["rejected"]
        return made

    def job(self, version: Mapping[str, Any], at: int = LATE, **changes: Any) -> Materialise:
        """The next Job; with `sequence`, one of another number."""
        self.sequence += 1
        document = self.document(version, at, **changes)
        folder = self._new()
        (folder / "input.json").write_text(json.dumps(document))
        parsed = cast("MaterialiseInput", documents.load(folder / "input.json", "materialise"))
        progress = Progress(Subject("Dataset", "ns", "power", "u-1"), None)
        return Materialise(
            parsed,
            OnlineLogin.of(self.login),
            cast("Storage", self.workshop.store),
            folder,
            progress,
            Limits(memory=256 * 1024 * 1024, threads=1),
            lambda: NOW,
        )

    def document(self, version: Mapping[str, Any], at: int, **changes: Any) -> dict[str, Any]:
        digest = version["version"]
        place = {
            "host": "localhost",
            "port": self.server.port,
            "tls": "Disable",
            "secret": SECRET,
            "allowedNetworks": list(LOCAL),
            "apiServer": None,
        }
        return {
            "apiVersion": inputs.API_VERSION,
            "verb": "materialise",
            "namespace": "ns",
            "name": "power",
            "uid": "u-1",
            "output": "runs/ns/u-1/job/",
            "progress": None,
            "cas": layout.cas_prefix("ns"),
            "version": {
                "name": "power",
                "version": digest,
                "manifest": layout.manifest_key("ns", "power", digest),
            },
            "entity": dict(self.entity),
            "server": {**place, **self.place},
            "sequence": self.sequence,
            "moment": at,
            **changes,
        }

    def fill(self, version: Mapping[str, Any], at: int = LATE, **changes: Any) -> dict[str, Any]:
        """Let a Job do its work."""
        return self.job(version, at, **changes).run()

    @property
    def meta(self) -> online.Meta:
        text = self.server.client().get(TABLE.meta)
        assert text is not None
        return online.decode_meta(text)

    @property
    def texts(self) -> dict[str, str]:
        """The rows as they lie in the store."""
        return self.server.texts(TABLE.rows)

    def rows(self) -> dict[Any, Mapping[str, Any]]:
        """Values by key; a key of one column by that."""
        found = {}
        for name, text in self.texts.items():
            key = json.loads(name.removeprefix(TABLE.rows))
            found[key[0] if len(key) == 1 else tuple(key)] = online.decode(text).values
        return found

    def _new(self) -> Path:
        self._made += 1
        folder = self.folder / str(self._made)
        folder.mkdir()
        return folder


def csv(header: str, *rows: Sequence[Any]) -> str:
    """Rows as a file; None is a value that is missing."""
    lines = [",".join("" if value is None else str(value) for value in row) for row in rows]
    return "\n".join([header, *lines]) + "\n"
