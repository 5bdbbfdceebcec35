"""A container of the user's own behind the server: the pod of both, and who of it sees what.

The user's is what Kubernetes calls a sidecar, an init container that goes on: it starts first and
is ended last, so that what the server still passes on while it drains is answered. What it can
reach are its image, /tmp and the server's loopback: no Secret, no claim, no token.
"""

from typing import Any

from tidemill.api.v1alpha1.conditions import Verdict, stalled
from tidemill.api.v1alpha1.durations import parse_duration
from tidemill.api.v1alpha1.meta import Template
from tidemill.api.v1alpha1.reasons import Reason
from tidemill.api.v1alpha1.serving_container import ServingContainer
from tidemill.children.foreign import SERVE
from tidemill.children.pod_spec import CONTAINER_SECURITY, resources
from tidemill.deployment.target import Target
from tidemill.store.digests import is_digest

# The container's work is the user's, so `spec.template` is of it; the server only passes on.
SERVER_RESOURCES: dict[str, Any] = {
    "requests": {"cpu": "50m", "memory": "96Mi"},
    "limits": {"memory": "512Mi"},
}
ROOM = "4Gi"
_OF_MODELS = {"store", "scratch"}  # what the server has no use for without one of its own
Body = dict[str, Any]


def target_of(container: ServingContainer) -> Target | Verdict:
    """Give the image as the model that is served: its digest is the version."""
    if not is_digest(container.digest):
        message = "spec.model.container.image: name it by digest (name@sha256:…)"
        return stalled(Reason.SPEC_INVALID, message)
    return Target(container.image, container.digest)


def surround(
    server: Body, container: ServingContainer, template: Template | None, default: Body
) -> Body:
    """Give the containers and volumes of a pod in which `server` stands before the user's."""
    env = [*server["env"], *_written(_told(container))]
    mounts = [mount for mount in server["volumeMounts"] if mount["name"] not in _OF_MODELS]
    passing = {"env": env, "resources": SERVER_RESOURCES, "volumeMounts": mounts}
    name = next(one["value"] for one in env if one["name"] == "TIDEMILL_MODEL_NAME")
    return {
        "initContainers": [{**_users(container, name), "resources": resources(template, default)}],
        "containers": [{**server, **passing}],
        "volumes": [
            {"name": "tmp", "emptyDir": {"sizeLimit": "1Gi"}},
            {"name": "model-tmp", "emptyDir": {"sizeLimit": ROOM}},
        ],
    }


def _told(container: ServingContainer) -> dict[str, str]:
    """What the server is told of it."""
    return {
        "TIDEMILL_UPSTREAM": f"http://127.0.0.1:{container.port}",
        "TIDEMILL_UPSTREAM_PROTOCOL": container.protocol,
        "TIDEMILL_UPSTREAM_READY": container.ready_path,
        "TIDEMILL_UPSTREAM_SECONDS": f"{parse_duration(container.timeout).total_seconds():g}",
    }


def _users(container: ServingContainer, model: str) -> Body:
    own = [one.model_dump() for one in container.env or ()]
    named = {one["name"] for one in own}
    given = {"PORT": str(container.port), "TIDEMILL_MODEL_NAME": model, "HOME": "/tmp"}  # noqa: S108 - a volume of its own
    words = {"command": container.command, "args": container.args}
    return {
        "name": SERVE,
        "image": container.image,
        **{name: list(some) for name, some in words.items() if some},
        "env": [*_written({k: v for k, v in given.items() if k not in named}), *own],
        "restartPolicy": "Always",
        "securityContext": CONTAINER_SECURITY,
        "terminationMessagePolicy": "FallbackToLogsOnError",
        "volumeMounts": [{"name": "model-tmp", "mountPath": "/tmp"}],  # noqa: S108 - a volume of its own
    }


def _written(variables: dict[str, str]) -> list[Body]:
    return [{"name": name, "value": value} for name, value in variables.items()]
