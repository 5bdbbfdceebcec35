"""Dataset: data as it lies in a source, checked, versioned by content and kept."""

from datetime import datetime
from typing import Annotated, ClassVar, Literal

from pydantic import ConfigDict, Field

from tidemill.api.v1alpha1.checks import Checks, SchemaSpec
from tidemill.api.v1alpha1.describe import Describe
from tidemill.api.v1alpha1.files import CSV_ONLY, MAX_GLOBS, Csv, Glob
from tidemill.api.v1alpha1.meta import CommonStatus, LocalObjectReference, Template
from tidemill.api.v1alpha1.prepare import Prepare
from tidemill.api.v1alpha1.sources import DatasetSource, HttpSource, InlineSource
from tidemill.api.v1alpha1.types import ApiModel, Digest, Duration, StatusModel, rule, rules

MAX_STATUS_COLUMNS = 256
MAX_STATUS_VERSIONS = 20

Format = Literal["CSV", "JSONLines", "Parquet"]
ColumnType = Literal["Integer", "Float", "Boolean", "String", "Date", "Timestamp", "Other"]


class S3Source(ApiModel):
    """Objects in a bucket of any S3-compatible store."""

    model_config = ConfigDict(json_schema_extra=rules(CSV_ONLY))

    endpoint: Annotated[
        str | None,
        Field(
            pattern=r"^https?://[^/\s]+$",
            max_length=512,
            description="URL of the store, such as https://s3.example.org. "
            "Default: the store that Tidemill itself uses.",
        ),
    ] = None
    region: Annotated[
        str | None, Field(max_length=64, description="Region; default: that of Tidemill's store.")
    ] = None
    bucket: Annotated[
        str,
        Field(
            pattern=r"^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$",
            max_length=63,
            description="Bucket that holds the data.",
        ),
    ]
    prefix: Annotated[
        str,
        Field(
            max_length=1024,
            description="Every object whose key starts with this belongs to the data set; "
            "names that start with a dot or an underscore are left out.",
        ),
    ] = ""
    format: Annotated[
        Format,
        Field(
            description="Format of the objects: CSV, JSONLines (a JSON object a line) or Parquet. "
            "CSV and JSONLines may be compressed by gzip or zstd, which their first bytes show."
        ),
    ]
    csv: Csv = None
    include: Annotated[
        list[Glob] | None,
        Field(
            min_length=1,
            max_length=MAX_GLOBS,
            description="Globs of which a key, without the prefix, must match one: * stands for "
            "any part of a name, ? for one character, ** for any number of folders, as in *.csv or "
            "2024/**/*.parquet. Default: every object.",
            json_schema_extra={"x-kubernetes-list-type": "set"},
        ),
    ] = None
    partitions: Annotated[
        Literal["Hive"] | None,
        Field(
            description="Hive: folders below the prefix of the form key=value are columns, which "
            "follow those of the files."
        ),
    ] = None
    path_style: Annotated[
        bool | None,
        Field(
            description="Address the bucket in the path (MinIO), not in the host name (AWS). "
            "Default: as Tidemill's store."
        ),
    ] = None
    credentials_ref: Annotated[
        LocalObjectReference | None,
        Field(
            description="Secret with the keys AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and, if "
            "wanted, AWS_SESSION_TOKEN. Without it the bucket is read anonymously."
        ),
    ] = None


class Source(ApiModel):
    """Where the data comes from; exactly one."""

    model_config = ConfigDict(
        json_schema_extra=rules(
            rule(
                "[has(self.s3), has(self.inline), has(self.http), has(self.dataset)]"
                ".filter(given, given).size() == 1",
                "exactly one source must be set: s3, inline, http or dataset",
            )
        )
    )

    s3: Annotated[S3Source | None, Field(description="Objects in an S3-compatible store.")] = None
    inline: Annotated[
        InlineSource | None, Field(description="A small table in the spec itself.")
    ] = None
    http: Annotated[HttpSource | None, Field(description="One file on a web server.")] = None
    dataset: Annotated[
        DatasetSource | None, Field(description="A version of another Dataset of the namespace.")
    ] = None


class Refresh(ApiModel):
    """How a change of the source is noticed."""

    poll_interval: Annotated[
        Duration,
        Field(
            description="How often the source is listed. Without effect where nothing can change "
            "unseen: source.inline, source.dataset, source.http with a checksum."
        ),
    ] = "1m"
    settle_period: Annotated[
        Duration,
        Field(
            description="How far apart two equal listings must be before a change is versioned, "
            "so that a delivery half written is never taken. Without effect where none can be: "
            "source.inline, source.dataset, source.http with a checksum."
        ),
    ] = "10s"


class DatasetSpec(ApiModel):
    """What the data set is to be."""

    source: Annotated[Source, Field(description="Where the data comes from.")]
    refresh: Annotated[
        Refresh | None, Field(description="How a change of the source is noticed.")
    ] = None
    prepare: Annotated[
        Prepare | None,
        Field(description="What is done to the rows before they are checked and versioned."),
    ] = None
    schema_: Annotated[
        SchemaSpec | None,
        Field(alias="schema", description="Which columns there must be, and what they are like."),
    ] = None
    checks: Checks | None = None
    describe: Annotated[
        Describe | None, Field(description="What the report tells beside the columns.")
    ] = None
    pin: Annotated[
        Literal["Copy"],
        Field(description="Copy: each version is copied into content-addressed storage."),
    ] = "Copy"
    template: Annotated[
        Template | None, Field(description="What the ingest pod asks of the cluster.")
    ] = None
    suspend: Annotated[
        bool, Field(description="Look for no changes and start no work while true.")
    ] = False


class Column(StatusModel):
    """One column as it was found."""

    name: Annotated[str, Field(max_length=1024, description="Name in the files.")]
    type: Annotated[ColumnType, Field(description="Type found over all rows.")]
    nullable: Annotated[bool, Field(description="Whether a value is missing anywhere.")]


class DatasetVersion(StatusModel):
    """One version in short."""

    version: Annotated[Digest, Field(description="Digest of the canonical manifest.")]
    rows: Annotated[int, Field(description="Number of rows.")]
    bytes: Annotated[int, Field(description="Size of all objects in bytes.")]
    objects: Annotated[int, Field(description="Number of objects.")]
    created_at: Annotated[datetime, Field(description="When it was first recorded.")]
    why: Annotated[
        Literal["Created", "SourceChanged", "SpecChanged", "Requested"] | None,
        Field(description="What led to it."),
    ] = None


class RejectedVersion(StatusModel):
    """A delivery that was kept, with its report, and not let in."""

    version: Annotated[Digest, Field(description="Digest of its manifest.")]
    rows: Annotated[int, Field(description="Number of rows.")]
    created_at: Annotated[datetime, Field(description="When it was rejected.")]
    reason: Annotated[str, Field(max_length=64, description="Why, as a documented reason.")]
    message: Annotated[str, Field(max_length=1024, description="Why, in words.")]
    report: Annotated[
        str | None, Field(max_length=2048, description="Key of its report in the store.")
    ] = None


class ChecksStatus(StatusModel):
    """How the checks of the newest delivery ended."""

    passed: Annotated[int, Field(description="How many hold.")]
    failed: Annotated[int, Field(description="How many with severity Fail do not.")]
    warned: Annotated[int, Field(description="How many with severity Warn do not.")]


class StructureStatus(StatusModel):
    """How a version differs from the one before, for those who use it."""

    change: Annotated[
        Literal["Same", "Compatible", "Breaking"],
        Field(
            description="Compatible: columns added or widened. Breaking: columns lost or of "
            "another type, sizes ten times others, a frequent category gone."
        ),
    ]
    reasons: Annotated[
        list[Annotated[str, Field(max_length=1024, description="One of them.")]],
        Field(
            max_length=5,
            description="What speaks for it.",
            json_schema_extra={"x-kubernetes-list-type": "atomic"},
        ),
    ]


class SourceStatus(StatusModel):
    """The source as it was last listed."""

    fingerprint: Annotated[
        str,
        Field(
            max_length=128,
            description="Hash of keys, sizes and entity tags; of the data where they are known.",
        ),
    ]
    objects: Annotated[int, Field(description="Number of objects listed.")]
    bytes: Annotated[int, Field(description="Their size in bytes.")]
    since: Annotated[datetime, Field(description="When this listing was first seen.")]


class IngestStatus(StatusModel):
    """The ingest that led to the present verdict."""

    key: Annotated[
        str, Field(max_length=128, description="Hash of the source spec and its fingerprint.")
    ]
    job: Annotated[str | None, Field(max_length=253, description="Name of the Job.")] = None
    outcome: Annotated[
        Literal["Succeeded", "Failed"] | None, Field(description="How it ended.")
    ] = None
    fingerprint: Annotated[
        str | None, Field(max_length=128, description="The fingerprint of what it read.")
    ] = None
    attempts: Annotated[int, Field(description="How many Jobs were started for it.")] = 0
    last_failure_time: Annotated[
        datetime | None, Field(description="When the last of them failed.")
    ] = None
    reason: Annotated[
        str | None, Field(max_length=64, description="Why it failed, as a documented reason.")
    ] = None
    message: Annotated[
        str | None, Field(max_length=4096, description="Why it failed, in words.")
    ] = None
    template: Annotated[
        str | None,
        Field(max_length=64, description="Hash of the template it failed with; another is tried."),
    ] = None


class DatasetStatus(CommonStatus):
    """What is known of the data set."""

    version: Annotated[Digest | None, Field(description="The version that `latest` means.")] = None
    short_version: Annotated[
        str | None, Field(max_length=12, description="The first twelve digits of the version.")
    ] = None
    rows: Annotated[int | None, Field(description="Rows of that version.")] = None
    bytes: Annotated[int | None, Field(description="Its size in bytes.")] = None
    objects: Annotated[int | None, Field(description="Its number of objects.")] = None
    columns: Annotated[
        list[Column] | None,
        Field(
            max_length=MAX_STATUS_COLUMNS,
            description=f"Its columns, the first {MAX_STATUS_COLUMNS}.",
            json_schema_extra={"x-kubernetes-list-type": "atomic"},
        ),
    ] = None
    column_count: Annotated[int | None, Field(description="How many columns it has.")] = None
    manifest: Annotated[
        str | None, Field(max_length=2048, description="Address of its manifest in the store.")
    ] = None
    profile: Annotated[
        str | None, Field(max_length=2048, description="Key of its profile in the store.")
    ] = None
    report: Annotated[
        str | None, Field(max_length=2048, description="Key of its report in the store.")
    ] = None
    structure: Annotated[
        StructureStatus | None, Field(description="How it differs from the version before.")
    ] = None
    checks: Annotated[
        ChecksStatus | None, Field(description="How the checks of the newest delivery ended.")
    ] = None
    rejected: Annotated[
        RejectedVersion | None,
        Field(description="The newest delivery, where it was not let in."),
    ] = None
    versions: Annotated[
        list[DatasetVersion] | None,
        Field(
            max_length=MAX_STATUS_VERSIONS,
            description="The newest versions, newest first.",
            json_schema_extra={"x-kubernetes-list-type": "atomic"},
        ),
    ] = None
    source: Annotated[SourceStatus | None, Field(description="The source as last listed.")] = None
    ingest: Annotated[IngestStatus | None, Field(description="The last ingest.")] = None


def _condition(field: str) -> str:
    return f'.status.conditions[?(@.type=="Ready")].{field}'


class Dataset(ApiModel):
    """Data of one source, versioned by content: what was trained on can be named and read back."""

    kind: ClassVar[str] = "Dataset"
    plural: ClassVar[str] = "datasets"
    short_names: ClassVar[tuple[str, ...]] = ("tmds",)
    columns: ClassVar[tuple[dict[str, str | int], ...]] = (
        {"name": "Ready", "type": "string", "jsonPath": _condition("status")},
        {"name": "Reason", "type": "string", "jsonPath": _condition("reason")},
        {"name": "Rows", "type": "integer", "jsonPath": ".status.rows"},
        {"name": "Version", "type": "string", "jsonPath": ".status.shortVersion"},
        {"name": "Age", "type": "date", "jsonPath": ".metadata.creationTimestamp"},
        {"name": "Objects", "type": "integer", "jsonPath": ".status.objects", "priority": 1},
        {"name": "Message", "type": "string", "jsonPath": _condition("message"), "priority": 1},
    )

    spec: Annotated[DatasetSpec, Field(description="What the data set is to be.")]
    status: Annotated[DatasetStatus | None, Field(description="What is known of it.")] = None
