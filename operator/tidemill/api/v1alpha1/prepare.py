"""What is done to the rows between source and version."""

from typing import Annotated

from pydantic import ConfigDict, Field

from tidemill.api.v1alpha1.sources import DatasetSource
from tidemill.api.v1alpha1.types import ApiModel, Duration, rule, rules

MAX_INPUTS = 8


class Input(ApiModel):
    """A version of another Dataset of the namespace, as a table of the query."""

    model_config = ConfigDict(
        json_schema_extra=rules(
            rule(
                "self.name != 'source'",
                "an input may not be named source: that is the table of spec.source",
            )
        )
    )

    name: Annotated[
        str,
        Field(
            pattern=r"^[a-z_][a-z0-9_]*$",
            max_length=63,
            description="Name of the table in the query; not `source`. A word of SQL, such as "
            "order, is quoted there.",
        ),
    ]
    dataset: Annotated[
        DatasetSource,
        Field(
            description="The Dataset whose rows it has. A new version of `latest` makes a new one "
            "of the present Dataset."
        ),
    ]


class Prepare(ApiModel):
    """One SQL query whose rows are what is checked and versioned."""

    sql: Annotated[
        str,
        Field(
            min_length=1,
            max_length=16384,
            description="A SELECT (DuckDB's SQL) from the table `source` and those of `inputs`, "
            "such as SELECT *, hour(ts) AS hour FROM source WHERE demand IS NOT NULL. It reads "
            "nothing else, and must give the same rows each time: no random(), no now(). Rows that "
            "no ORDER BY sorts keep the order of the source where the query allows it.",
        ),
    ]
    inputs: Annotated[
        list[Input] | None,
        Field(
            min_length=1,
            max_length=MAX_INPUTS,
            description="Other Datasets of the namespace, as tables beside `source`. Which of "
            "their versions were read is part of the version made.",
            json_schema_extra={
                "x-kubernetes-list-type": "map",
                "x-kubernetes-list-map-keys": ["name"],
            },
        ),
    ] = None
    deadline: Annotated[Duration, Field(description="How long the query may run.")] = "30m"
