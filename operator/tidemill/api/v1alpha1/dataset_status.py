"""What is known of a Dataset: its versions, the newest delivery, the source as last seen."""

from datetime import datetime
from typing import Annotated, Literal

from pydantic import Field

from tidemill.api.v1alpha1.meta import CommonStatus
from tidemill.api.v1alpha1.online_store import OnlineStatus
from tidemill.api.v1alpha1.prepare import MAX_INPUTS
from tidemill.api.v1alpha1.retention import DeletionPolicy, RetentionStatus
from tidemill.api.v1alpha1.types import Digest, StatusModel

MAX_STATUS_COLUMNS = 256
MAX_STATUS_VERSIONS = 20
ColumnType = Literal["Integer", "Float", "Boolean", "String", "Date", "Timestamp", "Other"]


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
        Literal["Created", "SourceChanged", "SpecChanged", "Requested", "Scheduled"] | None,
        Field(description="What led to it."),
    ] = None


class InputVersion(StatusModel):
    """A version of another Dataset that was read."""

    name: Annotated[
        str,
        Field(max_length=63, description="The table that it was: `source`, or that of an input."),
    ]
    dataset: Annotated[str, Field(max_length=253, description="Name of the Dataset.")]
    version: Annotated[Digest, Field(description="The version, by its digest.")]


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
            description="Hash of keys, sizes and entity tags; of the data where they are known; of "
            "claim and path where a volume is the source.",
        ),
    ]
    objects: Annotated[int, Field(description="Number of objects listed; 0 for a volume.")]
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
    scheduled: Annotated[
        bool | None, Field(description="Whether, under way, a time of the schedule led to it.")
    ] = None
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
    inputs: Annotated[
        list[InputVersion] | None,
        Field(
            max_length=MAX_INPUTS + 1,
            description="The versions of other Datasets that it was made from.",
            json_schema_extra={"x-kubernetes-list-type": "atomic"},
        ),
    ] = None
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
    online: Annotated[
        OnlineStatus | None, Field(description="What the online store holds of it.")
    ] = None
    retention: Annotated[
        RetentionStatus | None,
        Field(description="What is kept, and what is to be removed."),
    ] = None
    deletion_policy: Annotated[
        DeletionPolicy | None,
        Field(
            description="The deletion policy that is noted in the store: it counts when the "
            "Dataset is gone."
        ),
    ] = None
    source: Annotated[SourceStatus | None, Field(description="The source as last listed.")] = None
    last_refresh_time: Annotated[
        datetime | None,
        Field(
            description="With a schedule: when the last look was honoured; no time of the "
            "schedule up to then is outstanding."
        ),
    ] = None
    next_refresh_time: Annotated[
        datetime | None, Field(description="With a schedule: when the next look is due.")
    ] = None
    ingest: Annotated[IngestStatus | None, Field(description="The last ingest.")] = None
