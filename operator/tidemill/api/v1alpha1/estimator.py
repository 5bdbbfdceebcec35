"""What a run fits: exactly one of the ways there are."""

from typing import Annotated, Any

from pydantic import ConfigDict, Field

from tidemill.api.v1alpha1.imported import ImportedModel
from tidemill.api.v1alpha1.types import (
    ApiModel,
    rule,
    rules,
)
from tidemill.api.v1alpha1.user_code import Script, TrainingContainer


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
            rule(
                # CEL keeps the word import for itself.
                "[has(self.sklearn), has(self.script), has(self.container),"
                " has(self.__import__)].filter(given, given).size() == 1",
                "exactly one estimator must be set: sklearn, script, container or import",
            )
        )
    )

    sklearn: Annotated[
        SklearnEstimator | None, Field(description="A scikit-learn Pipeline from its steps.")
    ] = None
    script: Annotated[
        Script | None,
        Field(
            description="A function in Python that fits a model. It runs in a container of its "
            "own, without keys, and never sees the rows held out."
        ),
    ] = None
    container: Annotated[
        TrainingContainer | None,
        Field(description="Any image that makes a model file of a data file, likewise."),
    ] = None
    import_: Annotated[
        ImportedModel | None,
        Field(
            alias="import",
            description="A model that exists: measured, judged and packed, not fitted.",
        ),
    ] = None
