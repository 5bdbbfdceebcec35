"""What a TrainingRun's status says of how good a model is; all numbers are in its result."""

from typing import Annotated, Literal

from pydantic import Field

from tidemill.api.v1alpha1.evaluation import MAX_FAIRNESS
from tidemill.api.v1alpha1.types import StatusModel

MAX_WARNINGS = 8

Decimal = Annotated[str, Field(max_length=32)]


class BaselineValue(StatusModel):
    """A simple model on the same rows, and whether the model is better than it."""

    name: Annotated[str, Field(max_length=64, description="Which one.")]
    metric: Annotated[str, Field(max_length=64, description="By which metric.")]
    value: Annotated[Decimal, Field(description="What the baseline reaches.")]
    difference: Annotated[Decimal, Field(description="The model's value less the baseline's.")]
    low: Annotated[Decimal, Field(description="Lower end of the difference's 95 % interval.")]
    high: Annotated[Decimal, Field(description="Upper end of it.")]
    verdict: Annotated[
        Literal["Better", "Worse", "Inconclusive"],
        Field(description="Of the model; Inconclusive: the interval holds no difference, too."),
    ]


class FairnessValue(StatusModel):
    """The largest difference between groups, and whether it is more than was wanted."""

    sensitive: Annotated[str, Field(max_length=1024, description="The column of the groups.")]
    metric: Annotated[str, Field(max_length=64, description="What differs.")]
    value: Annotated[Decimal | None, Field(description="By how much.")] = None
    low: Annotated[Decimal | None, Field(description="Lower end of its 95 % interval.")] = None
    high: Annotated[Decimal | None, Field(description="Upper end of it.")] = None
    max: Annotated[Decimal, Field(description="What was wanted.")]
    verdict: Annotated[
        Literal["Successful", "Failed", "Inconclusive", "Error"],
        Field(
            description="Failed: the whole interval is above max; Successful: it is not above; "
            "Inconclusive: max lies in it; Error: there were too few rows of too many groups."
        ),
    ]


class Judgement(StatusModel):
    """A summary of the judgement in the run's report and result."""

    baselines: Annotated[
        list[BaselineValue] | None,
        Field(
            max_length=3,
            description="Simple models, on the same rows.",
            json_schema_extra={
                "x-kubernetes-list-type": "map",
                "x-kubernetes-list-map-keys": ["name"],
            },
        ),
    ] = None
    fairness: Annotated[
        list[FairnessValue] | None,
        Field(
            max_length=MAX_FAIRNESS,
            description="Differences between groups.",
            json_schema_extra={
                "x-kubernetes-list-type": "map",
                "x-kubernetes-list-map-keys": ["sensitive", "metric"],
            },
        ),
    ] = None
    warnings: Annotated[
        list[Annotated[str, Field(max_length=512, description="One of them.")]] | None,
        Field(
            max_length=MAX_WARNINGS,
            description="What makes the numbers doubtful, such as rows that are in both parts.",
            json_schema_extra={"x-kubernetes-list-type": "atomic"},
        ),
    ] = None
