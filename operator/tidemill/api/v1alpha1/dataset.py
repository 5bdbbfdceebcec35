"""Dataset: data as it lies in a source, checked, versioned by content and kept."""

from typing import Annotated, ClassVar, Literal

from pydantic import ConfigDict, Field

from tidemill.api.v1alpha1.checks import Checks
from tidemill.api.v1alpha1.dataset_status import DatasetStatus
from tidemill.api.v1alpha1.describe import Describe
from tidemill.api.v1alpha1.distributed import Distributed
from tidemill.api.v1alpha1.entity import Entity
from tidemill.api.v1alpha1.meta import Template
from tidemill.api.v1alpha1.online_store import FilledStore
from tidemill.api.v1alpha1.prepare import Prepare
from tidemill.api.v1alpha1.retention import DeletionPolicy, Retention
from tidemill.api.v1alpha1.schema import SchemaSpec
from tidemill.api.v1alpha1.sources import Source
from tidemill.api.v1alpha1.types import ApiModel, Duration, rule, rules


class Refresh(ApiModel):
    """How a change of the source is noticed."""

    model_config = ConfigDict(
        json_schema_extra=rules(
            rule(
                "!has(self.schedule) || !has(self.pollInterval)",
                "schedule says when the source is looked at, pollInterval how often: leave one of "
                "them out",
            ),
            rule(
                "!has(self.timeZone) || has(self.schedule)",
                "timeZone is where the times of schedule are: set schedule, or leave timeZone out",
            ),
        )
    )

    poll_interval: Annotated[
        Duration | None,
        Field(
            description="How often the source is listed. Default: 1m. Without effect where nothing "
            "can change unseen: source.inline, source.dataset, source.http with a checksum; and "
            "for source.pvc, which nobody but a pod sees into."
        ),
    ] = None
    schedule: Annotated[
        str | None,
        Field(
            min_length=1,
            max_length=128,
            examples=["0 3 * * 1-5"],
            description="The only times at which the source is looked at, in place of "
            "pollInterval, as a cron expression: minute, hour, day of the month, month, day of the "
            "week; or @hourly, @daily, @weekly, @monthly, @yearly. It holds for whatever the data "
            "is made from: a new version of another Dataset, too, is taken at these times. Times "
            "that were missed are made up for once.",
        ),
    ] = None
    time_zone: Annotated[
        str | None,
        Field(
            min_length=1,
            max_length=64,
            examples=["Europe/Berlin"],
            description="Time zone of the schedule, by its IANA name. Default: UTC.",
        ),
    ] = None
    settle_period: Annotated[
        Duration,
        Field(
            description="How far apart two equal listings must be before a change is versioned, "
            "so that a delivery half written is never taken. Without effect where none can be: "
            "source.inline, source.dataset, source.http with a checksum. For source.pvc: how old "
            "the newest file must be."
        ),
    ] = "10s"


class DatasetSpec(ApiModel):
    """What the data set is to be."""

    model_config = ConfigDict(
        json_schema_extra=rules(
            rule(
                "!has(self.pin) || self.pin != 'None' || has(self.source.s3) || has(self.prepare)",
                "pin None leaves the data where they are, and what source gives cannot be read "
                "again: use source.s3, set prepare, or leave pin out",
            ),
            rule(
                "!has(self.online) || has(self.entity)",
                "online keeps the newest row of each key: set entity, which says what the key is",
            ),
            rule(
                "!has(self.parallelism) || self.parallelism == 1 || ((has(self.source.s3) || "
                "has(self.source.dataset)) && !(has(self.prepare) && has(self.prepare.container)))",
                "parallelism above 1 divides the objects of source.s3 or source.dataset, and a "
                "container prepares in one pod: leave parallelism out",
            ),
            rule(
                "!has(self.distributed) || has(self.source.s3) || has(self.source.dataset)",
                "distributed divides the objects of source.s3 or source.dataset: leave it out",
            ),
            rule(
                "!has(self.distributed) || !has(self.prepare)",
                "prepare needs all rows in one place: leave distributed out, or set it on a "
                "Dataset whose source.dataset is this one",
            ),
            rule(
                "!has(self.distributed) || !has(self.parallelism) || self.parallelism == 1",
                "distributed and parallelism both say how many pods there are: leave one out",
            ),
        )
    )

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
    entity: Annotated[
        Entity | None,
        Field(
            description="Makes the Dataset a feature table, which TrainingRuns join by key and "
            "time. Two rows of one key and one time are refused."
        ),
    ] = None
    online: Annotated[
        FilledStore | None,
        Field(
            description="A Redis or Valkey server that is given the newest row of each key, for "
            "models to look features up. What lies there already stays when this is left out."
        ),
    ] = None
    describe: Annotated[
        Describe | None, Field(description="What the report tells beside the columns.")
    ] = None
    pin: Annotated[
        Literal["Copy", "None"],
        Field(
            description="Copy: each version is copied into content-addressed storage. None: what "
            "was delivered stays where it is, and is proved each time it is read; a version whose "
            "objects were replaced or removed there cannot be read any more (SourceMutated). What "
            "prepare makes is kept in any case."
        ),
    ] = "Copy"
    retention: Annotated[
        Retention | None,
        Field(description="How many versions are kept, and for how long; without it, all are."),
    ] = None
    deletion_policy: Annotated[
        DeletionPolicy,
        Field(
            description="What becomes of the versions when the Dataset is deleted. Retain: they "
            "stay. Delete: those that nothing uses are removed, about a day later."
        ),
    ] = "Retain"
    template: Annotated[
        Template | None, Field(description="What the ingest pod asks of the cluster.")
    ] = None
    parallelism: Annotated[
        int,
        Field(
            ge=1,
            le=64,
            description="How many pods read the delivery at once, each some of its objects; no "
            "more than it has objects. The version is the same for any number. What is done to the "
            "rows then, and their checks, is the first one's alone. A running Job stays as it is.",
        ),
    ] = 1
    distributed: Annotated[
        Distributed | None,
        Field(
            description="Several pods read, describe and check the delivery, and none has all of "
            "its rows: for more of them than one machine has room for; no more pods than objects. "
            "The version is the same as without."
        ),
    ] = None
    suspend: Annotated[
        bool, Field(description="Look for no changes and start no work while true.")
    ] = False


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
