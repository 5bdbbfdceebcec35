"""TrainingRun: one fit of one estimator on one version of a data set; one run, one record."""

from datetime import datetime
from typing import Annotated, Any, ClassVar, Literal

from pydantic import ConfigDict, Field

from tidemill.api.v1alpha1.dataset_reference import DatasetReference
from tidemill.api.v1alpha1.evaluation import NEEDS_CLASSES, Evaluation
from tidemill.api.v1alpha1.join import MAX_TABLES, Join, JoinedVersion
from tidemill.api.v1alpha1.judgement import Judgement
from tidemill.api.v1alpha1.meta import CommonStatus
from tidemill.api.v1alpha1.retry import Attempt, Retry
from tidemill.api.v1alpha1.run_cache import Cache, CachedFrom
from tidemill.api.v1alpha1.run_template import RunTemplate
from tidemill.api.v1alpha1.search import Search, SearchSummary
from tidemill.api.v1alpha1.types import (
    ApiModel,
    Digest,
    Duration,
    Fraction,
    StatusModel,
    rule,
    rules,
)

MAX_LOG_LINES = 20

Task = Literal["Classification", "Regression"]


class Features(ApiModel):
    """Which columns the model sees."""

    exclude: Annotated[
        list[Annotated[str, Field(max_length=1024, description="Name of a column.")]],
        Field(
            default_factory=list,
            max_length=2048,
            description="Columns the model does not see, beside the target.",
            json_schema_extra={"x-kubernetes-list-type": "set"},
        ),
    ]


class Weights(ApiModel):
    """How much each row counts when fitting."""

    column: Annotated[
        str,
        Field(
            min_length=1,
            max_length=1024,
            description="Column of numbers from 0 on; no feature. The metrics do not weigh.",
        ),
    ]


class Split(ApiModel):
    """How rows are held out for evaluation."""

    model_config = ConfigDict(
        json_schema_extra=rules(
            rule(
                "self.by == 'Time' ? has(self.column) : !has(self.column)",
                "column names the time column: it is needed with by: Time and only there",
            )
        )
    )

    holdout: Annotated[Fraction, Field(description="Fraction of the rows held out.")] = "0.2"
    by: Annotated[
        Literal["Order", "Time", "Random"],
        Field(
            description="Order: the last rows of the files. Time: the latest by `column`. "
            "Random: drawn with the seed."
        ),
    ] = "Random"
    column: Annotated[
        str | None, Field(max_length=1024, description="The column that says when a row happened.")
    ] = None


class Step(ApiModel):
    """One step of a scikit-learn Pipeline."""

    name: Annotated[
        str,
        Field(
            pattern=r"^[A-Za-z][A-Za-z0-9-]*(_[A-Za-z0-9-]+)*$",
            max_length=63,
            description="Name of the step.",
        ),
    ]
    class_: Annotated[
        str,
        Field(
            alias="class",
            pattern=r"^[A-Za-z_][A-Za-z0-9_]*(\.[A-Za-z_][A-Za-z0-9_]*)+$",
            max_length=253,
            description="Dotted path of a class of scikit-learn; the last step's may be of xgboost "
            "or lightgbm.",
        ),
    ]
    params: Annotated[
        dict[str, Any] | None,
        Field(
            description="Its parameters, as its constructor takes them; an estimator among them is "
            "{class, params}, a pipeline {steps}, each with a name where a list is wanted.",
            json_schema_extra={"x-kubernetes-preserve-unknown-fields": True},
        ),
    ] = None


class SklearnEstimator(ApiModel):
    """A scikit-learn Pipeline."""

    steps: Annotated[
        list[Step],
        Field(
            min_length=1,
            max_length=32,
            description="Transformers in their order, then the estimator.",
            json_schema_extra={
                "x-kubernetes-list-type": "map",
                "x-kubernetes-list-map-keys": ["name"],
            },
        ),
    ]


LIBRARIES_OF_TREES = ("xgboost", "lightgbm")


class Estimator(ApiModel):
    """What is fitted; exactly one."""

    model_config = ConfigDict(
        json_schema_extra=rules(
            rule("has(self.sklearn)", "exactly one estimator must be set: sklearn")
        )
    )

    sklearn: Annotated[
        SklearnEstimator | None, Field(description="A scikit-learn Pipeline from its steps.")
    ] = None


_IMMUTABLE = (
    *("dataset", "join", "task", "target", "features", "split", "seed", "estimator", "evaluation"),
    *("template", "deadline", "retry", "cache", "weights", "search"),
)


def _immutable(field: str) -> dict[str, str]:
    return rule(
        f"has(self.{field}) == has(oldSelf.{field})"
        f" && (!has(self.{field}) || self.{field} == oldSelf.{field})",
        f"{field} cannot be changed: a run is a record; create a new TrainingRun",
    )


class TrainingRunSpec(ApiModel):
    """What is trained on what; immutable but for `suspend`."""

    model_config = ConfigDict(
        json_schema_extra=rules(NEEDS_CLASSES, *(_immutable(f) for f in _IMMUTABLE))
    )

    dataset: Annotated[DatasetReference, Field(description="The data trained on.")]
    join: Annotated[
        Join | None,
        Field(description="Features joined to its rows from other Datasets, by key and time."),
    ] = None
    task: Annotated[Task, Field(description="Whether classes or numbers are predicted.")]
    target: Annotated[
        str, Field(min_length=1, max_length=1024, description="The column that is predicted.")
    ]
    features: Annotated[
        Features | None, Field(description="Which columns the model sees; default: all others.")
    ] = None
    weights: Annotated[
        Weights | None, Field(description="How much each row counts when fitting; default: alike.")
    ] = None
    split: Annotated[Split | None, Field(description="How rows are held out for evaluation.")] = (
        None
    )
    seed: Annotated[
        int,
        Field(ge=0, le=4294967295, description="Seeds the split, the estimators, the intervals."),
    ] = 0
    estimator: Annotated[Estimator, Field(description="What is fitted.")]
    search: Annotated[
        Search | None,
        Field(description="Parameters to choose by cross-validation on the rows trained on."),
    ] = None
    evaluation: Annotated[
        Evaluation | None, Field(description="What is measured on the rows held out.")
    ] = None
    template: Annotated[
        RunTemplate | None,
        Field(description="What the training pod asks of the cluster, and is given."),
    ] = None
    deadline: Annotated[
        Duration,
        Field(
            description="How long its Job may take, waiting for a node and trying again included; "
            "anew for the one that retry.growMemory makes, and after `suspend`."
        ),
    ] = "1h"
    retry: Annotated[
        Retry | None,
        Field(description="When it is tried again; an error of spec or data never is."),
    ] = None
    cache: Annotated[
        Cache,
        Field(
            description="Use: where a run of the namespace had the same inputs (versions, spec, "
            "image), its result is taken and no Job is made. Refresh: train in any case."
        ),
    ] = "Use"
    suspend: Annotated[
        bool, Field(description="Start no Job while true; a running one is stopped.")
    ] = False


class AppliedRun(StatusModel):
    """What was resolved when the run started."""

    dataset_version: Annotated[Digest, Field(description="The version trained on.")]
    tables: Annotated[
        list[JoinedVersion] | None,
        Field(
            max_length=MAX_TABLES,
            description="The versions joined, in the order of spec.join.tables.",
            json_schema_extra={"x-kubernetes-list-type": "atomic"},
        ),
    ] = None
    image: Annotated[str, Field(max_length=1024, description="The runner image, by digest.")]
    spec_hash: Annotated[
        str, Field(max_length=64, description="Hash of the spec that the Job was made from.")
    ]
    memory: Annotated[
        str | None,
        Field(max_length=32, description="Its memory, where retry.growMemory gave it more."),
    ] = None


class RunProgress(StatusModel):
    """How far the run is."""

    percent: Annotated[int, Field(ge=0, le=100, description="Share of the work done.")]
    message: Annotated[str, Field(max_length=256, description="What is being done.")]
    eta: Annotated[
        str | None, Field(max_length=32, description="About how long it still takes.")
    ] = None
    step: Annotated[
        str | None, Field(max_length=64, description="Which part of the work it is at.")
    ] = None
    metric: Annotated[
        str | None,
        Field(max_length=64, description="What it measured last, such as accuracy=0.91."),
    ] = None


class MetricValue(StatusModel):
    """A metric on the rows held out, with its 95 % confidence interval."""

    name: Annotated[str, Field(max_length=64, description="Name, as scikit-learn has it.")]
    value: Annotated[str, Field(max_length=32, description="Estimate, as a decimal.")]
    low: Annotated[str | None, Field(max_length=32, description="Lower end of the interval.")] = (
        None
    )
    high: Annotated[str | None, Field(max_length=32, description="Upper end of the interval.")] = (
        None
    )
    rows: Annotated[int, Field(description="Rows it was measured on.")]


class Artifact(StatusModel):
    """The model package in the store."""

    uri: Annotated[str, Field(max_length=2048, description="Address of the package.")]
    digest: Annotated[Digest, Field(description="Digest of its manifest.")]
    bytes: Annotated[int | None, Field(description="Its size in bytes.")] = None
    trees: Annotated[
        Literal["xgboost", "lightgbm"] | None,
        Field(description="The library whose trees are in it; the server's image must have it."),
    ] = None


class Failure(StatusModel):
    """Why the run failed."""

    reason: Annotated[str, Field(max_length=64, description="One of the documented reasons.")]
    message: Annotated[str, Field(max_length=4096, description="In words, with the way out.")]
    exit_code: Annotated[int | None, Field(description="Exit code of the container.")] = None
    log: Annotated[
        list[Annotated[str, Field(max_length=512, description="One line.")]] | None,
        Field(
            max_length=MAX_LOG_LINES,
            description="The last lines of the log.",
            json_schema_extra={"x-kubernetes-list-type": "atomic"},
        ),
    ] = None


class TrainingRunStatus(CommonStatus):
    """What became of the run."""

    applied: Annotated[AppliedRun | None, Field(description="What was resolved at the start.")] = (
        None
    )
    job: Annotated[str | None, Field(max_length=253, description="Name of its Job.")] = None
    cache_key: Annotated[
        str | None,
        Field(max_length=64, description="Digest of all inputs: runs with the same are the same."),
    ] = None
    cached_from: Annotated[
        CachedFrom | None, Field(description="Whose result was taken; there is no Job then.")
    ] = None
    progress: Annotated[RunProgress | None, Field(description="How far it is.")] = None
    attempt: Annotated[
        Attempt | None, Field(description="Which attempt it is at, and why; absent at the first.")
    ] = None
    metrics: Annotated[
        list[MetricValue] | None,
        Field(
            max_length=32,
            description="What was measured on the rows held out.",
            json_schema_extra={
                "x-kubernetes-list-type": "map",
                "x-kubernetes-list-map-keys": ["name"],
            },
        ),
    ] = None
    score: Annotated[
        str | None,
        Field(max_length=64, description="The first metric in short, such as accuracy=0.735."),
    ] = None
    judgement: Annotated[
        Judgement | None,
        Field(description="How good that is: beside simple models, between groups, in doubt."),
    ] = None
    search: Annotated[SearchSummary | None, Field(description="What came of the search.")] = None
    artifact: Annotated[Artifact | None, Field(description="The model package.")] = None
    report: Annotated[
        str | None, Field(max_length=2048, description="Address of the HTML report.")
    ] = None
    failure: Annotated[Failure | None, Field(description="Why it failed.")] = None
    started_at: Annotated[datetime | None, Field(description="When the Job was created.")] = None
    completed_at: Annotated[datetime | None, Field(description="When the run ended.")] = None


def _condition(field: str) -> str:
    return f'.status.conditions[?(@.type=="Succeeded")].{field}'


class TrainingRun(ApiModel):
    """One fit of one estimator on one version of a data set, measured on rows it has not seen."""

    kind: ClassVar[str] = "TrainingRun"
    plural: ClassVar[str] = "trainingruns"
    short_names: ClassVar[tuple[str, ...]] = ("tmrun",)
    columns: ClassVar[tuple[dict[str, str | int], ...]] = (
        {"name": "Succeeded", "type": "string", "jsonPath": _condition("status")},
        {"name": "Reason", "type": "string", "jsonPath": _condition("reason")},
        {"name": "Progress", "type": "integer", "jsonPath": ".status.progress.percent"},
        {"name": "ETA", "type": "string", "jsonPath": ".status.progress.eta"},
        {"name": "Score", "type": "string", "jsonPath": ".status.score"},
        {"name": "Age", "type": "date", "jsonPath": ".metadata.creationTimestamp"},
        {"name": "Dataset", "type": "string", "jsonPath": ".spec.dataset.name", "priority": 1},
        {"name": "Message", "type": "string", "jsonPath": _condition("message"), "priority": 1},
    )

    spec: Annotated[
        TrainingRunSpec,
        Field(description="What is trained on what; immutable but for `suspend`."),
    ]
    status: Annotated[TrainingRunStatus | None, Field(description="What became of it.")] = None
