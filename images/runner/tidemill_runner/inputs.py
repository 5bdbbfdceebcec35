"""What runs are told to do: the parts of their input documents, typed.

The operator writes it from a spec that the API server has validated, so a document of the wrong
shape is a fault of ours; only values that no schema can judge are the user's.
"""

import base64
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from tidemill.store.addresses import AllowedNetworks
from tidemill.store.database_addresses import DatabaseAddresses
from tidemill.store.postgres import Server
from tidemill_runner.container import Container
from tidemill_runner.files.delivery import Delivery
from tidemill_runner.files.dialect import OPEN, Dialect, declared

API_VERSION = "runner.tidemill.dev/v1"


@dataclass(frozen=True)
class Identity:
    """Which object the run belongs to, and where its files go."""

    kind: str
    namespace: str
    name: str
    uid: str
    output: str
    progress_url: str | None


@dataclass(frozen=True)
class S3Source:
    """Objects in a bucket."""

    endpoint: str
    region: str
    bucket: str
    prefix: str
    delivery: Delivery
    path_style: bool
    include: tuple[str, ...] = ()


@dataclass(frozen=True)
class InlineSource:
    """A table in the spec."""

    format: str
    data: bytes
    csv: Dialect = OPEN


@dataclass(frozen=True)
class HttpSource:
    """A file on a web server; `secret` is the name of the Secret with the headers to send."""

    url: str
    format: str
    checksum: str | None
    max_bytes: int
    secret: str | None
    allowed: AllowedNetworks
    csv: Dialect = OPEN


@dataclass(frozen=True)
class SqlSource:
    """The rows of a query; `secret` is the name of the Secret that opens the database."""

    server: Server
    query: str
    secret: str
    max_bytes: int


@dataclass(frozen=True)
class PvcSource:
    """Files below `path` of the volume of a claim, which is mounted at `root`."""

    claim: str
    root: Path
    path: str
    delivery: Delivery
    settle_seconds: float
    include: tuple[str, ...] = ()


@dataclass(frozen=True)
class DatasetVersion:
    """A version of a Dataset; `keys` is a folder, for the source of objects not copied."""

    name: str
    version: str
    manifest: str
    cas: str
    keys: Path | None = None


Source = S3Source | InlineSource | HttpSource | SqlSource | PvcSource | DatasetVersion


@dataclass(frozen=True)
class Prepare:
    """A query or a container between source and version, and for how many seconds it may run.

    `inputs` are versions of other Datasets, by the names of the tables that they are in it.
    """

    sql: str | None
    seconds: float
    inputs: Mapping[str, DatasetVersion] = field(default_factory=dict)
    container: Container | None = None


@dataclass(frozen=True)
class IngestInput:
    """What an ingest is to do; `previous` is the version in use, `why` what led to this one."""

    identity: Identity
    source: Source
    fingerprint: str
    manifests: str
    cas: str
    why: str = "Created"
    previous: str | None = None
    prepare: Prepare | None = None
    schema: Mapping[str, Any] = field(default_factory=dict)
    checks: tuple[Mapping[str, Any], ...] = ()
    describe: Mapping[str, Any] = field(default_factory=dict)
    entity: Mapping[str, Any] = field(default_factory=dict)
    copies: bool = True
    # How many read the delivery; the first makes the version, over Dask with the others or alone.
    workers: int = 1
    distributed: bool = False

    @property
    def on_change(self) -> str:
        """What follows when the structure breaks with the version in use."""
        return str(self.schema.get("onChange") or "Warn")

    @property
    def previous_short(self) -> str:
        """The first digits of the version in use, as messages show it."""
        return (self.previous or "").removeprefix("sha256:")[:12]


def identity(document: Mapping[str, Any], kind: str) -> Identity:
    progress = document.get("progress") or {}
    return Identity(
        kind=kind,
        namespace=document["namespace"],
        name=document["name"],
        uid=document["uid"],
        output=folder(document["output"]),
        progress_url=progress.get("url"),
    )


def folder(prefix: str) -> str:
    return prefix if prefix.endswith("/") else f"{prefix}/"


def ingest(document: Mapping[str, Any]) -> IngestInput:
    cas = folder(document["cas"])
    return IngestInput(
        identity=identity(document, "Dataset"),
        source=_source(document["source"], cas),
        fingerprint=document["fingerprint"],
        manifests=folder(document["manifests"]),
        cas=cas,
        why=document.get("why") or "Created",
        previous=document.get("previous"),
        prepare=_prepare(document.get("prepare"), cas),
        schema=document.get("schema") or {},
        checks=tuple(document.get("checks") or ()),
        describe=document.get("describe") or {},
        entity=document.get("entity") or {},
        copies=document.get("copies") is not False,
        workers=int(document.get("workers") or 1),
        distributed=document.get("engine") == "Dask",
    )


def _prepare(prepare: Mapping[str, Any] | None, cas: str) -> Prepare | None:
    if not prepare:
        return None
    inputs = {one["name"]: version(one["dataset"], cas) for one in prepare.get("inputs") or ()}
    made_by = Container.of(prepare["container"]) if "container" in prepare else None
    return Prepare(None if made_by else prepare["sql"], float(prepare["seconds"]), inputs, made_by)


def version(dataset: Mapping[str, Any], cas: str) -> DatasetVersion:
    """A version of another Dataset, as the operator has found it."""
    keys = Path(dataset["keys"]) if dataset.get("keys") else None
    return DatasetVersion(dataset["name"], dataset["version"], dataset["manifest"], cas, keys)


def _source(source: Mapping[str, Any], cas: str) -> Source:
    match source.get("kind") or "S3":
        case "Inline":
            data = base64.b64decode(source["data"], validate=True)
            return InlineSource(source["format"], data, declared(source.get("csv") or {}))
        case "Http":
            return HttpSource(
                url=source["url"],
                format=source["format"],
                checksum=source.get("checksum"),
                max_bytes=int(source["maxBytes"]),
                secret=source.get("secret"),
                allowed=AllowedNetworks.parse(source.get("allowedNetworks") or ()),
                csv=declared(source.get("csv") or {}),
            )
        case "Sql":
            return _sql(source)
        case "Pvc":
            return _pvc(source)
        case "Dataset":
            return version(source, cas)
        case "S3":
            return S3Source(
                endpoint=source["endpoint"],
                region=source.get("region") or "us-east-1",
                bucket=source["bucket"],
                prefix=source.get("prefix") or "",
                delivery=_delivery(source),
                path_style=source.get("pathStyle") is not False,
                include=tuple(source.get("include") or ()),
            )
        case kind:
            raise ValueError(f"no source of kind {kind!r}")


def _sql(source: Mapping[str, Any]) -> SqlSource:
    allowed = AllowedNetworks.parse(source.get("allowedNetworks") or ())
    reached = DatabaseAddresses(allowed, source.get("apiServer"))
    server = Server(source["host"], int(source["port"]), source["database"], source["tls"], reached)
    return SqlSource(server, source["query"], source["secret"], int(source["maxBytes"]))


def _pvc(source: Mapping[str, Any]) -> PvcSource:
    path = source["path"].strip("/")
    prefix = f"{path}/" if path else ""
    return PvcSource(
        claim=source["claim"],
        root=Path(source["root"]),
        path=path,
        delivery=replace(_delivery(source), prefix=prefix, field="spec.source.pvc"),
        settle_seconds=float(source["settleSeconds"]),
        include=tuple(source.get("include") or ()),
    )


def _delivery(source: Mapping[str, Any]) -> Delivery:
    return Delivery(
        source["format"],
        source.get("prefix") or "",
        declared(source.get("csv") or {}),
        hive=source.get("partitions") == "Hive",
    )
