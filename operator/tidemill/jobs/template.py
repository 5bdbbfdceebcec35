"""A user's template merged into the pod of a Job: around what is ours, never over it.

Sidecars are init containers that are restarted always: Kubernetes starts them before our container
and ends them after it, and the Job does not wait for them.
"""

from typing import Any

from tidemill.api.v1alpha1.meta import Resources, Template
from tidemill.api.v1alpha1.pod_volumes import EnvVariable, Mount
from tidemill.api.v1alpha1.run_template import RunTemplate, Sidecar
from tidemill.children.pod_spec import CONTAINER_SECURITY, resources

SIDECAR_RESOURCES: dict[str, Any] = {
    "requests": {"cpu": "50m", "memory": "64Mi"},
    "limits": {"memory": "256Mi"},
}
# No volume of ours begins so, whatever volumes there will be.
PREFIX = "user-"
Body = dict[str, Any]


def merged(pod: Body, template: Template | None, at: str) -> Body:
    """Give the pod spec with what the template adds; `at` names the container that trains."""
    if not isinstance(template, RunTemplate):
        return pod

    def given(container: Body) -> Body:
        if container["name"] != at:
            return container
        return {
            **container,
            "env": [*container["env"], *_variables(template.env)],
            "volumeMounts": [*container["volumeMounts"], *_mounts(template.volume_mounts)],
        }

    beside = [_sidecar(one) for one in template.sidecars or ()]
    # Sidecars first: each of the others is waited for before the next one starts.
    first = [*beside, *map(given, pod.get("initContainers", ()))]
    volumes = [
        {**one.model_dump(mode="json", by_alias=True, exclude_none=True), "name": PREFIX + one.name}
        for one in template.volumes or ()
    ]
    placed = template.model_dump(
        mode="json",
        by_alias=True,
        exclude_none=True,
        include={"affinity", "priority_class_name"},
    )
    return {
        **pod,
        **placed,
        **({"initContainers": first} if first else {}),
        "containers": [given(container) for container in pod["containers"]],
        "volumes": [*pod["volumes"], *volumes],
    }


def _sidecar(sidecar: Sidecar) -> Body:
    words = {"command": sidecar.command, "args": sidecar.args}
    return {
        "name": sidecar.name,
        "image": sidecar.image,
        **{name: list(given) for name, given in words.items() if given},
        "restartPolicy": "Always",
        "env": _variables(sidecar.env),
        "resources": resources(_only(sidecar.resources), SIDECAR_RESOURCES),
        "securityContext": CONTAINER_SECURITY,
        "terminationMessagePolicy": "FallbackToLogsOnError",
        "volumeMounts": _mounts(sidecar.volume_mounts),
    }


def _only(wanted: Resources | None) -> Template | None:
    return Template.model_validate({"resources": wanted}) if wanted else None


def _variables(variables: list[EnvVariable] | None) -> list[Body]:
    return [
        one.model_dump(mode="json", by_alias=True, exclude_none=True) for one in variables or ()
    ]


def _mounts(mounts: list[Mount] | None) -> list[Body]:
    return [
        {**one.model_dump(mode="json", by_alias=True, exclude_none=True), "name": PREFIX + one.name}
        for one in mounts or ()
    ]
