"""How a TrainingRun looks for parameters: which, in what way, and by what they are judged."""

from typing import Annotated, Any, Literal, Self

from pydantic import ConfigDict, Field, model_validator

from tidemill.api.v1alpha1.evaluation import Metric
from tidemill.api.v1alpha1.types import ApiModel, StatusModel, rule, rules

MAX_TRIALS = 1000
MAX_PARAMETERS = 20
MAX_VALUES = 100
NAME = r"^[A-Za-z][A-Za-z0-9_-]*__[A-Za-z0-9_-]+$"
NUMBER = r"^[+-]?[0-9]+(\.[0-9]+)?([eE][+-]?[0-9]{1,3})?$"

Number = Annotated[str, Field(pattern=NUMBER, max_length=32, examples=["0.001"])]


class Parameter(ApiModel):
    """The values that one parameter may have: those listed, or all of a range."""

    # What may be any JSON is out of sight for a rule of the API server: see `_is_one_of_two`.
    model_config = ConfigDict(
        json_schema_extra=rules(
            rule(
                "has(self.low) == has(self.high) && has(self.low) == has(self.type)",
                "a range has low, high and type: set all three, or list values",
            ),
            rule(
                "!self.log || has(self.low)",
                "log is of a range: it needs low, high and type",
            ),
            rule(
                "!has(self.low) || !has(self.high) || double(self.low) < double(self.high)",
                "low is to be less than high",
            ),
            rule(
                "!self.log || !has(self.low) || double(self.low) > 0.0",
                "a range with log begins above 0",
            ),
            rule(
                "!has(self.type) || self.type != 'Int' || !has(self.low) || !has(self.high) || "
                "[self.low, self.high].all(n, n.matches('^[+-]?[0-9]{1,15}$'))",
                "low and high of type Int are whole numbers, written without fraction or exponent",
            ),
        )
    )

    values: Annotated[
        list[
            Annotated[
                Any,
                Field(
                    description="A value, as params of a step have it.",
                    json_schema_extra={
                        "x-kubernetes-preserve-unknown-fields": True,
                        "nullable": True,
                    },
                ),
            ]
        ]
        | None,
        Field(
            min_length=1,
            max_length=MAX_VALUES,
            description="The values themselves, as params of a step have them; None for none.",
            json_schema_extra={"x-kubernetes-list-type": "atomic"},
        ),
    ] = None
    low: Annotated[Number | None, Field(description="Least value of the range.")] = None
    high: Annotated[Number | None, Field(description="Greatest value; it may be taken, too.")] = (
        None
    )
    type: Annotated[
        Literal["Int", "Float"] | None,
        Field(description="Whether the range has whole numbers only."),
    ] = None
    log: Annotated[
        bool, Field(description="Draw by order of magnitude: as many from 1 to 10 as to 100.")
    ] = False

    @model_validator(mode="after")
    def _is_one_of_two(self) -> Self:
        if (self.values is None) == (self.low is None):
            raise ValueError("exactly one of values and a range (low, high, type) must be set")
        return self


class Folds(ApiModel):
    """How the rows to train on are cut to judge a trial; those held out take no part."""

    folds: Annotated[
        int,
        Field(
            ge=2,
            le=20,
            description="How many parts. By split.by Random each is judged by a fit on the others; "
            "by Order and Time by one on the rows before it. Groups of evaluation.groupBy are "
            "never on both sides.",
        ),
    ] = 5


class EarlyStopping(ApiModel):
    """When to stop before all trials are done."""

    trials: Annotated[
        int,
        Field(ge=1, le=MAX_TRIALS, description="Stop after so many in a row that were not better."),
    ]


class Search(ApiModel):
    """Which parameters are tried, in what way, and by what they are judged."""

    model_config = ConfigDict(
        json_schema_extra=rules(
            rule(
                "(self.method == 'Grid') != has(self.trials)",
                "trials says how many Random, TPE and Halving draw, which need it; Grid tries all "
                "there are",
            ),
            rule(
                "self.method == 'Halving' || (!has(self.factor) && !has(self.minRows))",
                "factor and minRows say how method Halving goes on: use it, or leave them out",
            ),
            rule(
                "self.method != 'Halving' || !has(self.earlyStopping)",
                "Halving stops by itself what is not among the better: leave earlyStopping out",
            ),
            rule(
                "self.method != 'Grid' || self.space.all(name, !has(self.space[name].low))",
                "Grid tries every combination of values: list values instead of a range",
            ),
            rule(
                f"self.space.all(name, name.matches('{NAME}'))",
                "space names parameters as scikit-learn does: the step's name, two underscores, "
                "the parameter's, such as model__max_depth",
            ),
        )
    )

    method: Annotated[
        Literal["Grid", "Random", "TPE", "Halving"],
        Field(
            description="Grid: every combination of values. Random: drawn with the seed. TPE: "
            "drawn where those before were good (tree-structured Parzen estimator). Halving: "
            "drawn with the seed, tried on few rows, the better of them on more, and so on."
        ),
    ]
    trials: Annotated[
        int | None,
        Field(
            ge=1,
            le=MAX_TRIALS,
            description="How many Random, TPE and Halving draw; the latter for its first round.",
        ),
    ] = None
    factor: Annotated[
        int | None,
        Field(
            ge=2,
            le=10,
            description="Halving: one of so many goes on to the next round, which has so many "
            "times the rows; default: 3.",
        ),
    ] = None
    min_rows: Annotated[
        int | None,
        Field(
            ge=10,
            description="Halving: the rows of the first round, those judged included. Default: so "
            "many that the last round has all.",
        ),
    ] = None
    metric: Annotated[
        Metric | None,
        Field(description="By which trials are judged. Default: the first of evaluation.metrics."),
    ] = None
    space: Annotated[
        dict[str, Parameter],
        Field(
            min_length=1,
            max_length=MAX_PARAMETERS,
            description="Parameters by name, such as model__max_depth; params of the steps hold "
            "for all others.",
        ),
    ]
    cv: Annotated[
        Folds | None, Field(description="How trials are judged; default: five folds.")
    ] = None
    parallelism: Annotated[
        int,
        Field(
            ge=1,
            le=64,
            description="How many trials run at a time in all pods, each on one CPU; never more in "
            "a pod than it has CPUs.",
        ),
    ] = 1
    early_stopping: Annotated[
        EarlyStopping | None, Field(description="When to stop before all trials are done.")
    ] = None


class BestTrial(StatusModel):
    """The trial whose parameters the model has."""

    number: Annotated[int, Field(description="Which one; the first is 0.")]
    metric: Annotated[str, Field(max_length=64, description="By what it was judged.")]
    value: Annotated[
        str, Field(max_length=32, description="Mean over the folds; not what is held out gave.")
    ]
    params: Annotated[
        dict[str, Annotated[str, Field(max_length=64, description="Its value, as JSON.")]],
        Field(max_length=MAX_PARAMETERS, description="Its parameters."),
    ]


class SearchSummary(StatusModel):
    """What came of a search; all trials are in the run's result and report."""

    trials: Annotated[int, Field(description="How many were done, failed ones included.")]
    failed: Annotated[int, Field(description="How many of them failed.")]
    best: Annotated[BestTrial, Field(description="The trial whose parameters the model has.")]
