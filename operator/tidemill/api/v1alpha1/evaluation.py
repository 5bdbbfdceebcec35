"""What of a TrainingRun is measured on the rows held out, and what it is held against."""

from typing import Annotated, Literal

from pydantic import ConfigDict, Field

from tidemill.api.v1alpha1.schema import ColumnName
from tidemill.api.v1alpha1.types import ApiModel, Fraction, rule, rules

MAX_SLICES = 8
MAX_FAIRNESS = 8

Metric = Literal[
    "accuracy",
    "balanced_accuracy",
    "error_rate",
    "f1_macro",
    "log_loss",
    "roc_auc",
    "brier_score",
    "rmse",
    "mae",
    "r2",
]
Baseline = Literal["Majority", "LastValue", "Linear"]
Disparity = Literal[
    "demographic_parity_difference",
    "equalized_odds_difference",
    "equal_opportunity_difference",
]

NEEDS_CLASSES = rule(
    "self.task == 'Classification' || !has(self.evaluation) || !has(self.evaluation.fairness)",
    "evaluation.fairness compares what is said of classes: it needs task: Classification",
)


class Slice(ApiModel):
    """Rows that have the same value of a column, judged by themselves."""

    column: Annotated[
        ColumnName,
        Field(
            description="The column, a feature or not. Of a number or time with many values the "
            "four quarters are judged, of others the 20 most frequent values."
        ),
    ]
    min_rows: Annotated[
        int,
        Field(ge=20, le=1_000_000, description="What has fewer rows held out is not judged."),
    ] = 100


class Fairness(ApiModel):
    """How far groups may differ in what the model says of them."""

    sensitive: Annotated[
        ColumnName, Field(description="The column that says which group a row belongs to.")
    ]
    metric: Annotated[
        Disparity,
        Field(
            description="The largest difference between two groups: of the share predicted "
            "positive (demographic parity), of the true positive rate (equal opportunity), or the "
            "larger of those of the true and the false positive rate (equalized odds)."
        ),
    ]
    max: Annotated[
        Fraction,
        Field(description="The largest difference wanted. More is told; the run does not fail."),
    ]
    positive: Annotated[
        str | None,
        Field(
            max_length=1024,
            description="The class that counts as positive. Default: the second one in order.",
        ),
    ] = None


class Explain(ApiModel):
    """What the model goes by. Measured on a sample of the rows held out, which the report names."""

    model_config = ConfigDict(
        json_schema_extra=rules(
            rule(
                "self.permutationImportance || !self.partialDependence",
                "partialDependence shows the most important features: it needs "
                "permutationImportance, which is false",
            )
        )
    )

    permutation_importance: Annotated[
        bool,
        Field(description="By how much the first metric falls where a feature is shuffled."),
    ] = True
    partial_dependence: Annotated[
        bool,
        Field(description="How the prediction moves with each of the most important features."),
    ] = False
    learning_curve: Annotated[
        bool,
        Field(
            description="What an eighth, a quarter and a half of the rows trained on would have "
            "given: three more fits, which take about as long as the first."
        ),
    ] = False
    shap: Annotated[
        bool,
        Field(
            description="What each feature adds to what the model says, row by row: exact SHAP "
            "values, of trees, boosted trees and linear models. Others are refused."
        ),
    ] = False


class Evaluation(ApiModel):
    """What is measured on the rows held out, and what it is held against."""

    metrics: Annotated[
        list[Annotated[Metric, Field(description="Name of a metric.")]],
        Field(
            default_factory=list,
            max_length=16,
            description="Metrics with 95 % confidence intervals. Default for Classification: "
            "accuracy, error_rate, log_loss and roc_auc; for Regression: rmse, mae and r2. "
            "The first one is that by which slices and features are judged.",
            json_schema_extra={"x-kubernetes-list-type": "set"},
        ),
    ]
    baselines: Annotated[
        list[Annotated[Baseline, Field(description="Name of a baseline.")]] | None,
        Field(
            max_length=3,
            description="Simple models on the same rows, to tell whether the model is worth "
            "having. Majority: the most frequent class, of numbers the mean. LastValue: what was "
            "true of the row before, of the same group with groupBy. Linear: a linear model of all "
            "features. Default: Majority and Linear, and LastValue with split.by Order or Time.",
            json_schema_extra={"x-kubernetes-list-type": "set"},
        ),
    ] = None
    group_by: Annotated[
        list[ColumnName] | None,
        Field(
            min_length=1,
            max_length=8,
            description="Columns that say which rows belong together, such as site: intervals "
            "then count groups, not rows. Default: every row stands for itself.",
            json_schema_extra={"x-kubernetes-list-type": "set"},
        ),
    ] = None
    slices: Annotated[
        list[Slice] | None,
        Field(
            max_length=MAX_SLICES,
            description="Columns by whose values the first metric is told separately.",
            json_schema_extra={
                "x-kubernetes-list-type": "map",
                "x-kubernetes-list-map-keys": ["column"],
            },
        ),
    ] = None
    fairness: Annotated[
        list[Fairness] | None,
        Field(
            max_length=MAX_FAIRNESS,
            description="Differences between groups of people. Only for two classes.",
            json_schema_extra={
                "x-kubernetes-list-type": "map",
                "x-kubernetes-list-map-keys": ["sensitive", "metric"],
            },
        ),
    ] = None
    explain: Annotated[
        Explain | None, Field(description="What the model goes by; default: importance only.")
    ] = None
