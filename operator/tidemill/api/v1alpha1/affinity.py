"""Which nodes and which other pods a pod wants to be near to, or away from: as in a pod."""

from typing import Annotated, Literal

from pydantic import Field

from tidemill.api.v1alpha1.types import ApiModel

MAX_TERMS = 8
_ATOMIC = {"x-kubernetes-list-type": "atomic"}
LabelKey = Annotated[str, Field(max_length=316, description="Key of a label.")]
LabelValue = Annotated[str, Field(max_length=63, description="Value of a label.")]
Values = Annotated[
    list[LabelValue] | None,
    Field(
        max_length=64,
        description="What it is compared with; none for Exists and DoesNotExist.",
        json_schema_extra=_ATOMIC,
    ),
]
Weight = Annotated[int, Field(ge=1, le=100, description="How much it counts beside the others.")]


class NodeExpression(ApiModel):
    """A condition on a label of a node."""

    key: LabelKey
    operator: Annotated[
        Literal["In", "NotIn", "Exists", "DoesNotExist", "Gt", "Lt"],
        Field(description="How it is compared."),
    ]
    values: Values = None


class NodeTerm(ApiModel):
    """Conditions on a node that hold together."""

    match_expressions: Annotated[
        list[NodeExpression],
        Field(
            min_length=1,
            max_length=16,
            description="All of them hold.",
            json_schema_extra=_ATOMIC,
        ),
    ]


class NodeTerms(ApiModel):
    """Terms of which one must hold."""

    node_selector_terms: Annotated[
        list[NodeTerm],
        Field(
            min_length=1,
            max_length=MAX_TERMS,
            description="One of them holds.",
            json_schema_extra=_ATOMIC,
        ),
    ]


class PreferredNode(ApiModel):
    """A term that is better held than not."""

    weight: Weight
    preference: Annotated[NodeTerm, Field(description="Which nodes are preferred.")]


class NodeAffinity(ApiModel):
    """Which nodes."""

    required_during_scheduling_ignored_during_execution: Annotated[
        NodeTerms | None, Field(description="No other node is taken.")
    ] = None
    preferred_during_scheduling_ignored_during_execution: Annotated[
        list[PreferredNode] | None,
        Field(
            max_length=MAX_TERMS,
            description="These first, where there is room.",
            json_schema_extra=_ATOMIC,
        ),
    ] = None


class PodExpression(ApiModel):
    """A condition on a label of a pod."""

    key: LabelKey
    operator: Annotated[
        Literal["In", "NotIn", "Exists", "DoesNotExist"], Field(description="How it is compared.")
    ]
    values: Values = None


class PodSelector(ApiModel):
    """Pods of the namespace, by their labels."""

    match_labels: Annotated[
        dict[str, LabelValue] | None, Field(max_length=16, description="Labels that they have.")
    ] = None
    match_expressions: Annotated[
        list[PodExpression] | None,
        Field(max_length=16, description="Conditions that hold.", json_schema_extra=_ATOMIC),
    ] = None


class PodTerm(ApiModel):
    """Pods, and how far they reach."""

    label_selector: Annotated[PodSelector, Field(description="Which pods.")]
    topology_key: Annotated[
        str,
        Field(
            min_length=1,
            max_length=316,
            description="Label of the nodes that are one place, such as kubernetes.io/hostname.",
        ),
    ]


class PreferredPods(ApiModel):
    """A term that is better held than not."""

    weight: Weight
    pod_affinity_term: Annotated[PodTerm, Field(description="Which pods.")]


class PodAffinity(ApiModel):
    """Which other pods."""

    required_during_scheduling_ignored_during_execution: Annotated[
        list[PodTerm] | None,
        Field(
            max_length=MAX_TERMS,
            description="No other node is taken.",
            json_schema_extra=_ATOMIC,
        ),
    ] = None
    preferred_during_scheduling_ignored_during_execution: Annotated[
        list[PreferredPods] | None,
        Field(
            max_length=MAX_TERMS,
            description="These first, where there is room.",
            json_schema_extra=_ATOMIC,
        ),
    ] = None


class Affinity(ApiModel):
    """Near to what, away from what."""

    node_affinity: Annotated[NodeAffinity | None, Field(description="On which nodes.")] = None
    pod_affinity: Annotated[PodAffinity | None, Field(description="Near which pods.")] = None
    pod_anti_affinity: Annotated[PodAffinity | None, Field(description="Away from which.")] = None
