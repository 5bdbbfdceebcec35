"""Features from other Datasets, joined to the rows of a run as they were known at their times."""

from typing import Annotated

from pydantic import ConfigDict, Field

from tidemill.api.v1alpha1.dataset_reference import DatasetReference
from tidemill.api.v1alpha1.entity import MAX_KEY
from tidemill.api.v1alpha1.schema import ColumnName
from tidemill.api.v1alpha1.types import ApiModel, Duration, StatusModel, rule, rules

MAX_TABLES = 8
MAX_TABLE_COLUMNS = 256


class JoinedTable(ApiModel):
    """Columns of a feature table: a Dataset with `spec.entity`."""

    model_config = ConfigDict(
        json_schema_extra=rules(
            rule(
                "!has(self.key) || self.key.all(k, self.key.exists_one(o, o == k))",
                "key names a column twice: name one for each of the entity's key",
            )
        )
    )

    dataset: Annotated[
        DatasetReference,
        Field(description="The feature table. The version of `latest` is pinned at the start."),
    ]
    columns: Annotated[
        list[ColumnName] | None,
        Field(
            min_length=1,
            max_length=MAX_TABLE_COLUMNS,
            description="Its columns that are joined; default: all but its key and timestamp.",
            json_schema_extra={"x-kubernetes-list-type": "set"},
        ),
    ] = None
    max_age: Annotated[
        Duration | None,
        Field(
            examples=["7d"],
            description="How old a feature may be at the time of the row, that age included; an "
            "older one is missing. Without it none is too old.",
        ),
    ] = None
    prefix: Annotated[
        str, Field(max_length=63, description="What the names of the joined columns begin with.")
    ] = ""
    key: Annotated[
        list[ColumnName] | None,
        Field(
            min_length=1,
            max_length=MAX_KEY,
            description="The columns of the run's own rows that say whose they are, in the order "
            "of the entity's key; default: those of the same names.",
            json_schema_extra={"x-kubernetes-list-type": "atomic"},
        ),
    ] = None


class Join(ApiModel):
    """For each row the newest features of its key that were known at its time."""

    timestamp: Annotated[
        ColumnName,
        Field(
            description="The column of the run's own rows that says when: a Timestamp, or a Date, "
            "which is its first moment in UTC. A feature of that very moment counts."
        ),
    ]
    tables: Annotated[
        list[JoinedTable],
        Field(
            min_length=1,
            max_length=MAX_TABLES,
            description="The feature tables; one may be named more than once.",
            json_schema_extra={"x-kubernetes-list-type": "atomic"},
        ),
    ]


class JoinedVersion(StatusModel):
    """The version of a feature table that was joined."""

    name: Annotated[str, Field(max_length=253, description="Name of the Dataset.")]
    version: Annotated[str, Field(max_length=71, description="The version, by its digest.")]
    key: Annotated[
        list[ColumnName] | None,
        Field(
            max_length=MAX_KEY,
            description="The key of its entity, as it was at the start.",
            json_schema_extra={"x-kubernetes-list-type": "atomic"},
        ),
    ] = None
    timestamp: Annotated[
        ColumnName | None, Field(description="The timestamp of its entity, likewise.")
    ] = None
