"""What is done to the rows between source and version."""

from typing import Annotated

from pydantic import Field

from tidemill.api.v1alpha1.types import ApiModel, Duration


class Prepare(ApiModel):
    """One SQL query whose rows are what is checked and versioned."""

    sql: Annotated[
        str,
        Field(
            min_length=1,
            max_length=16384,
            description="A SELECT (DuckDB's SQL) from the table `source`, such as "
            "SELECT *, hour(ts) AS hour FROM source WHERE demand IS NOT NULL. It reads nothing "
            "else, and must give the same rows each time: no random(), no now(). Rows that no "
            "ORDER BY sorts keep the order of the source where the query allows it.",
        ),
    ]
    deadline: Annotated[Duration, Field(description="How long the query may run.")] = "30m"
