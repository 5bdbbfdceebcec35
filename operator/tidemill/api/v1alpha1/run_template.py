"""What a training pod is given besides what all pods of ours may choose: merged into ours.

There is no field for what is ours (service account, security context, restart policy, the names and
volumes of our containers), so none of it can be set.
"""

from typing import Annotated

from pydantic import ConfigDict, Field

from tidemill.api.v1alpha1.affinity import Affinity
from tidemill.api.v1alpha1.meta import Resources, Template
from tidemill.api.v1alpha1.pod_volumes import (
    MAX_VARIABLES,
    MAX_VOLUMES,
    EnvVariable,
    Mount,
    Volume,
)
from tidemill.api.v1alpha1.prepare import Words
from tidemill.api.v1alpha1.types import ApiModel, ObjectName, rule, rules

MAX_SIDECARS = 4
_BY_NAME = {"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["name"]}
_BY_PATH = {"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["mountPath"]}

Variables = Annotated[
    list[EnvVariable] | None,
    Field(
        max_length=MAX_VARIABLES,
        description="Variables of its environment.",
        json_schema_extra=_BY_NAME,
    ),
]
Mounts = Annotated[
    list[Mount] | None,
    Field(
        max_length=MAX_VOLUMES,
        description="Where it sees which of `volumes`.",
        json_schema_extra=_BY_PATH,
    ),
]


class Sidecar(ApiModel):
    """A container that runs beside the training and is ended with it."""

    model_config = ConfigDict(
        json_schema_extra=rules(
            rule(
                "!(self.name in ['runner', 'collect', 'prepare', 'conclude', 'script', 'train', "
                "'follow', 'model'])",
                "a sidecar is not named as one of Tidemill's containers: take another name",
            ),
            rule(
                "self.image.matches('^[^@\\\\s]+@sha256:[0-9a-f]{64}$')",
                "image must be named by digest (name@sha256:…), so that a record stays one",
            ),
        )
    )

    name: Annotated[
        str,
        Field(
            pattern=r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$",
            max_length=63,
            description="Its name, as kubectl logs -c takes it.",
        ),
    ]
    image: Annotated[str, Field(min_length=1, max_length=512, description="The image, by digest.")]
    command: Annotated[Words, Field(description="The entry point. Default: the image's.")] = None
    args: Annotated[Words, Field(description="Its arguments. Default: the image's.")] = None
    env: Variables = None
    resources: Annotated[
        Resources | None,
        Field(description="Default: 50m of cpu and 64Mi of memory, at most 256Mi."),
    ] = None
    volume_mounts: Mounts = None


class RunTemplate(Template):
    """What the training pod asks of the cluster, and is given."""

    model_config = ConfigDict(
        json_schema_extra=rules(
            rule(
                "!has(self.volumeMounts) || self.volumeMounts.all(m, has(self.volumes) && "
                "self.volumes.exists(v, v.name == m.name))",
                "volumeMounts name what is not in volumes: add it there",
            ),
            rule(
                "!has(self.sidecars) || self.sidecars.all(s, !has(s.volumeMounts) || "
                "s.volumeMounts.all(m, has(self.volumes) && self.volumes.exists(v, "
                "v.name == m.name)))",
                "volumeMounts of a sidecar name what is not in volumes: add it there",
            ),
        )
    )

    affinity: Annotated[
        Affinity | None, Field(description="Near to what the pod is placed, away from what.")
    ] = None
    priority_class_name: Annotated[
        ObjectName | None, Field(description="PriorityClass: whom it may push aside.")
    ] = None
    env: Variables = None
    volumes: Annotated[
        list[Volume] | None,
        Field(
            max_length=MAX_VOLUMES,
            description="Volumes for `volumeMounts`. What lies in others than emptyDir is not "
            "known to be the same twice: such a run is not taken for another, nor takes another's "
            "result.",
            json_schema_extra=_BY_NAME,
        ),
    ] = None
    volume_mounts: Mounts = None
    sidecars: Annotated[
        list[Sidecar] | None,
        Field(
            max_length=MAX_SIDECARS,
            description="Containers that start before the training and end with it. They are as "
            "restricted as ours: no root, no writing but to volumes.",
            json_schema_extra=_BY_NAME,
        ),
    ] = None
