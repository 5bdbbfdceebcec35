"""What the status of every kind starts with, and the scheduling choices that pods share."""

from typing import Annotated, Literal

from pydantic import Field

from tidemill.api.v1alpha1.conditions import Condition
from tidemill.api.v1alpha1.types import ApiModel, ObjectName, Quantity, StatusModel

RECONCILE_REQUESTED_AT = "tidemill.dev/reconcile-requested-at"


class CommonStatus(StatusModel):
    """The head of every status."""

    conditions: Annotated[
        list[Condition],
        Field(
            default_factory=list,
            max_length=8,
            description="The state: the summary first; Reconciling and Stalled while true.",
            json_schema_extra={
                "x-kubernetes-list-type": "map",
                "x-kubernetes-list-map-keys": ["type"],
            },
        ),
    ]
    observed_generation: Annotated[
        int | None, Field(description="The generation of the spec that this status speaks of.")
    ] = None
    last_handled_reconcile_at: Annotated[
        str | None,
        Field(
            max_length=128,
            description=f"The last value of the annotation {RECONCILE_REQUESTED_AT} acted upon.",
        ),
    ] = None


class LocalObjectReference(ApiModel):
    """An object of a known kind in the same namespace."""

    name: Annotated[ObjectName, Field(description="Name of the object, in the same namespace.")]


class Resources(ApiModel):
    """Compute resources of the container, as in a pod."""

    requests: Annotated[
        dict[str, Quantity],
        Field(default_factory=dict, max_length=16, description="What the scheduler sets aside."),
    ]
    limits: Annotated[
        dict[str, Quantity],
        Field(default_factory=dict, max_length=16, description="What the container may not pass."),
    ]


class Toleration(ApiModel):
    """A taint the pod puts up with, as in a pod."""

    key: Annotated[str | None, Field(max_length=316, description="Taint key; empty: all.")] = None
    operator: Annotated[
        Literal["Exists", "Equal"], Field(description="How the value is compared.")
    ] = "Equal"
    value: Annotated[str | None, Field(max_length=63, description="Taint value.")] = None
    effect: Annotated[
        Literal["NoSchedule", "PreferNoSchedule", "NoExecute"] | None,
        Field(description="Taint effect; empty: all."),
    ] = None
    toleration_seconds: Annotated[
        int | None, Field(description="How long a NoExecute taint is put up with.")
    ] = None


class Template(ApiModel):
    """What the pod asks of the cluster."""

    resources: Annotated[
        Resources | None,
        Field(description="Requests and limits; what is left out has Tidemill's defaults."),
    ] = None
    node_selector: Annotated[
        dict[str, Annotated[str, Field(max_length=63, description="Value of the label.")]],
        Field(default_factory=dict, max_length=32, description="Labels the node must have."),
    ]
    tolerations: Annotated[
        list[Toleration],
        Field(
            default_factory=list,
            max_length=32,
            description="Taints the pod puts up with.",
            json_schema_extra={"x-kubernetes-list-type": "atomic"},
        ),
    ]
