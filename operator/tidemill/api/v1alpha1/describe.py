"""What the description of a version tells beside its columns."""

from typing import Annotated

from pydantic import Field

from tidemill.api.v1alpha1.schema import ColumnName
from tidemill.api.v1alpha1.types import ApiModel, Fraction

MAX_GROUPINGS = 8
MAX_REFERENCES = 50


class ReferenceShare(ApiModel):
    """How frequent a group is elsewhere."""

    value: Annotated[str, Field(max_length=1024, description="The group's value in the column.")]
    share: Annotated[Fraction, Field(description="Its share of those whom the data stand for.")]


class Groups(ApiModel):
    """A column whose values are groups."""

    column: ColumnName
    reference: Annotated[
        list[ReferenceShare] | None,
        Field(
            max_length=MAX_REFERENCES,
            description="Shares to compare with, where they are known.",
            json_schema_extra={
                "x-kubernetes-list-type": "map",
                "x-kubernetes-list-map-keys": ["value"],
            },
        ),
    ] = None


class Describe(ApiModel):
    """Who is in the data: group shares and label rates, with 95 % intervals, in the report."""

    groups: Annotated[
        list[Groups],
        Field(
            min_length=1,
            max_length=MAX_GROUPINGS,
            description="Columns whose values are groups, of at most 50 values each. Groups of "
            "fewer than 20 rows are not shown; a sensitive column is refused.",
            json_schema_extra={
                "x-kubernetes-list-type": "map",
                "x-kubernetes-list-map-keys": ["column"],
            },
        ),
    ]
    label: Annotated[
        str | None,
        Field(
            min_length=1,
            max_length=1024,
            description="A column of at most 20 values, whose rates are given for each group.",
        ),
    ] = None
