"""A container of the user's in the middle of an ingest's pod, and who of the three sees what.

Init containers run one after the other, each when the one before has ended well. So `collect` reads
the source and lays out the rows, `prepare` is the user's and makes others of them, and the pod's
own container, `runner`, takes what it wrote and judges it. What the user's code can reach are those
rows, a folder to write to, and /tmp: no Secret, no claim, no token, no folder of ours.
"""

from typing import Any

from tidemill.api.v1alpha1.prepare import Container
from tidemill.children.pod_spec import CONTAINER_SECURITY, USERS_CONTAINER

COLLECT, CONCLUDE = "collect", "conclude"
IN_DIR, OUT_DIR = "/tidemill/in", "/tidemill/out"
STATE_DIR = "/state"
# Whoever killed it from outside ended it so: it is worth another try.
TERMINATED = 143
# Only `collect` opens the source.
_OF_SOURCE = {"source", "volume"}
Body = dict[str, Any]


def surround(runner: Body, user: Container, room: str) -> Body:
    """Give the containers and further volumes of a pod that would have `runner` alone.

    `room` is how large the folders may become that the rows lie in.
    """
    return {
        "initContainers": [_collect(runner), _prepare(runner, user)],
        "containers": [_conclude(runner)],
        "volumes": [
            {"name": "in", "emptyDir": {"sizeLimit": room}},
            {"name": "out", "emptyDir": {"sizeLimit": room}},
            {"name": "state", "emptyDir": {"sizeLimit": "1Gi"}},
            {"name": "prepare-tmp", "emptyDir": {"sizeLimit": "1Gi"}},
        ],
    }


def ending(user: Container | None) -> list[Body]:
    """Give the rule of the Job's failure policy: what ended badly would do so again."""
    if user is None:
        return []
    codes = {"containerName": USERS_CONTAINER, "operator": "NotIn", "values": [TERMINATED]}
    return [{"action": "FailJob", "onExitCodes": codes}]


def _collect(runner: Body) -> Body:
    mounts = [
        *runner["volumeMounts"],
        {"name": "in", "mountPath": IN_DIR},
        {"name": "out", "mountPath": OUT_DIR},  # which it empties, should it run again
        {"name": "state", "mountPath": STATE_DIR},
    ]
    return {**runner, "name": COLLECT, "args": [COLLECT], "volumeMounts": mounts}


def _prepare(runner: Body, user: Container) -> Body:
    # In an order that the version knows of: a value may name variables before it, as $(NAME).
    own = sorted((one.model_dump() for one in user.env or ()), key=lambda one: str(one["name"]))
    home = [] if any(one["name"] == "HOME" for one in own) else [{"name": "HOME", "value": "/tmp"}]  # noqa: S108 - a volume of its own
    given = {"command": user.command, "args": user.args}
    return {
        "name": USERS_CONTAINER,
        "image": user.image,
        **{name: words for name, words in given.items() if words},
        "env": [
            {"name": "TIDEMILL_IN", "value": IN_DIR},
            {"name": "TIDEMILL_OUT", "value": OUT_DIR},
            *home,
            *own,
        ],
        "resources": runner["resources"],
        "securityContext": CONTAINER_SECURITY,
        "terminationMessagePolicy": "FallbackToLogsOnError",
        "volumeMounts": [
            {"name": "in", "mountPath": IN_DIR, "readOnly": True},
            {"name": "out", "mountPath": OUT_DIR},
            {"name": "prepare-tmp", "mountPath": "/tmp"},  # noqa: S108 - a volume of its own
        ],
    }


def _conclude(runner: Body) -> Body:
    mounts = [
        *(mount for mount in runner["volumeMounts"] if mount["name"] not in _OF_SOURCE),
        {"name": "out", "mountPath": OUT_DIR, "readOnly": True},
        {"name": "state", "mountPath": STATE_DIR, "readOnly": True},
    ]
    return {**runner, "args": [CONCLUDE], "volumeMounts": mounts}
