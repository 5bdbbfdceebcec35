"""TrainingRun: one fit of one estimator on one version of a data set; one run, one record."""

from typing import Annotated, ClassVar, Literal

from pydantic import ConfigDict, Field

from tidemill.api.v1alpha1.dataset_reference import DatasetReference
from tidemill.api.v1alpha1.distributed import Distributed
from tidemill.api.v1alpha1.estimator import LIBRARIES_OF_TREES, Estimator
from tidemill.api.v1alpha1.evaluation import NEEDS_CLASSES, Evaluation
from tidemill.api.v1alpha1.join import Join
from tidemill.api.v1alpha1.onnx import Onnx
from tidemill.api.v1alpha1.retry import Retry
from tidemill.api.v1alpha1.run_cache import Cache
from tidemill.api.v1alpha1.run_status import TrainingRunStatus
from tidemill.api.v1alpha1.run_template import RunTemplate
from tidemill.api.v1alpha1.search import Search
from tidemill.api.v1alpha1.signing import Signing
from tidemill.api.v1alpha1.types import (
    ApiModel,
    Duration,
    Fraction,
    rule,
    rules,
)
from tidemill.api.v1alpha1.user_code import NEED_STEPS

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


_IMMUTABLE = (
    *("dataset", "join", "task", "target", "features", "split", "seed", "estimator", "evaluation"),
    *("template", "deadline", "retry", "cache", "weights", "search", "onnx"),
    *("queueName", "distributed", "signing"),
)


_LAST = "self.estimator.sklearn.steps[self.estimator.sklearn.steps.size() - 1]"
_OF_TREES = " || ".join(f"{_LAST}.class.startsWith('{one}.')" for one in LIBRARIES_OF_TREES)
_BOOSTED = f"has(self.estimator.sklearn) && ({_OF_TREES})"
_IMPORTED = "!has(self.estimator.__import__)"
FITS_NOTHING = (
    rule(f"{_IMPORTED} || !has(self.search)", "an imported model is not fitted: remove search"),
    rule(f"{_IMPORTED} || !has(self.weights)", "an imported model is not fitted: remove weights"),
    rule(
        f"{_IMPORTED} || !has(self.evaluation) || !has(self.evaluation.explain)"
        " || !has(self.evaluation.explain.learningCurve) || !self.evaluation.explain.learningCurve",
        "an imported model is not fitted: remove evaluation.explain.learningCurve",
    ),
)


def _immutable(field: str) -> dict[str, str]:
    return rule(
        f"has(self.{field}) == has(oldSelf.{field})"
        f" && (!has(self.{field}) || self.{field} == oldSelf.{field})",
        f"{field} cannot be changed: a run is a record; create a new TrainingRun",
    )


class TrainingRunSpec(ApiModel):
    """What is trained on what; immutable but for `suspend` and `ttlAfterFinished`."""

    model_config = ConfigDict(
        json_schema_extra=rules(
            NEEDS_CLASSES,
            *NEED_STEPS,
            *FITS_NOTHING,
            rule(
                f"!has(self.distributed) || has(self.search) || {_BOOSTED}",
                "distributed spreads a search over pods, or the fit of an estimator of xgboost or "
                "lightgbm: set search, take one of these as the last step, or leave it out",
            ),
            rule(
                "!has(self.distributed) || !has(self.search) || "
                "self.search.parallelism >= self.distributed.workers",
                "search.parallelism is how many trials run at a time in all pods: at least one for "
                "each of distributed.workers",
            ),
            *(_immutable(f) for f in _IMMUTABLE),
        )
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
    distributed: Annotated[
        Distributed | None,
        Field(
            description="Spread the trials of the search over several pods, or without one the "
            "fit of an estimator of xgboost or lightgbm. Each pod reads the data. What comes of a "
            "search is that of one pod; a fit depends on how many there are."
        ),
    ] = None
    evaluation: Annotated[
        Evaluation | None, Field(description="What is measured on the rows held out.")
    ] = None
    onnx: Annotated[
        Onnx,
        Field(
            description="Auto: the model is kept in ONNX as well where that answers alike on the "
            "rows held out, and is served from it. Never: it is not tried."
        ),
    ] = "Auto"
    signing: Annotated[
        Signing | None, Field(description="By whose key the package is signed; default: none.")
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
    queue_name: Annotated[
        str | None,
        Field(
            pattern=r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$",
            max_length=63,
            description="LocalQueue of Kueue: the Job is created suspended and starts when Kueue "
            "admits it. Preempted, it waits again; `deadline` counts from each start.",
        ),
    ] = None
    ttl_after_finished: Annotated[
        Duration | None,
        Field(
            description="How long the run is kept after its end, where another object made and "
            "owns it. One of your own is a record: with this it does not start."
        ),
    ] = None
    suspend: Annotated[
        bool, Field(description="Start no Job while true; a running one is stopped.")
    ] = False


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
