"""What makes a Dataset a table of features: whose each row is, and from when on it is known."""

from typing import Annotated

from pydantic import ConfigDict, Field

from tidemill.api.v1alpha1.schema import ColumnName
from tidemill.api.v1alpha1.types import ApiModel, rule, rules

MAX_KEY = 8


class Entity(ApiModel):
    """Whose the rows are, and when: no two of one key at one time."""

    model_config = ConfigDict(
        json_schema_extra=rules(
            rule(
                "!(self.timestamp in self.key)",
                "timestamp is part of key already: name the column that says when, and only there",
            )
        )
    )

    key: Annotated[
        list[ColumnName],
        Field(
            min_length=1,
            max_length=MAX_KEY,
            description="The columns that say whose a row is, such as site. No value is missing.",
            json_schema_extra={"x-kubernetes-list-type": "set"},
        ),
    ]
    timestamp: Annotated[
        ColumnName,
        Field(
            description="The column that says from when on a row is known: a Timestamp, or a Date, "
            "which counts from its first moment in UTC. No value is missing."
        ),
    ]
