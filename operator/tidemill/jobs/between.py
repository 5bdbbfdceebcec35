"""A container of the user's in the middle of a pod of ours, and who of the pod sees what.

Init containers run one after the other, each when the one before has ended well. So `collect` lays
out what the user's code may read, that runs, and the pod's own container, `runner`, takes what it
wrote and judges it. What the user's code can reach are what was laid out, a folder to write to, and
/tmp: no Secret of ours, no claim of a source, no token, no folder that the halves tell each other
things in.

Where code is to train, `follow` runs beside it with the keys that it has not: it passes on what the
code says of its progress, and keeps its checkpoints.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from tidemill.api.v1alpha1.prepare import Container
from tidemill.children.foreign import PREPARE
from tidemill.children.pod_spec import CONTAINER_SECURITY
from tidemill.children.pods import FOLLOWER

COLLECT, CONCLUDE = "collect", "conclude"
IN_DIR, OUT_DIR = "/tidemill/in", "/tidemill/out"
CHECKPOINT_DIR = "/tidemill/checkpoint"
STATE_DIR = "/state"
CODE_DIR = "/etc/tidemill/code"
# Whoever killed it from outside ended it so: it is worth another try.
TERMINATED = 143
# Only `collect` opens the source.
_OF_SOURCE = {"source", "volume", "code"}
_OF_FOLLOWER = {"input", "store", "scratch", "tmp"}
_FOLLOWER_RESOURCES: dict[str, Any] = {
    "requests": {"cpu": "25m", "memory": "96Mi"},
    "limits": {"memory": "384Mi"},
}
Body = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Middle:
    """What runs there, and the verbs of ours before and after it."""

    name: str
    image: str
    first: str
    last: str
    command: tuple[str, ...] = ()
    args: tuple[str, ...] = ()
    env: tuple[Mapping[str, Any], ...] = ()
    # Files of a user's ConfigMap, for the first of ours alone: name and key.
    config_map: tuple[str, str] | None = None
    # Whether somebody follows it, and keeps what it puts aside.
    followed: bool = False
    room: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def preparing(cls, user: Container) -> "Middle":
        """Describe a container that prepares rows."""
        # In an order that the version knows of: a value may name variables before it, as $(NAME).
        own = sorted((one.model_dump() for one in user.env or ()), key=lambda one: str(one["name"]))
        command, args = tuple(user.command or ()), tuple(user.args or ())
        return cls(PREPARE, user.image, COLLECT, CONCLUDE, command, args, tuple(own))


def surround(runner: Body, middle: Middle, room: str) -> Body:
    """Give the containers and further volumes of a pod that would have `runner` alone.

    `room` is how large the folders may become that the rows lie in.
    """
    limits = {"in": room, "out": room, "state": "1Gi", "code-tmp": "1Gi", **middle.room}
    volumes: list[Body] = [
        {"name": name, "emptyDir": {"sizeLimit": limit}} for name, limit in limits.items()
    ]
    if middle.config_map:
        name, key = middle.config_map
        items = [{"key": key, "path": "script"}]
        volumes.append({"name": "code", "configMap": {"name": name, "items": items}})
    beside = [_follow(runner)] if middle.followed else []
    return {
        "initContainers": [_collect(runner, middle), *beside, _users(runner, middle)],
        "containers": [_conclude(runner, middle)],
        "volumes": volumes,
    }


def ending(middle: Middle | None) -> list[Body]:
    """Give the rule of the Job's failure policy: what ended badly would do so again."""
    if middle is None:
        return []
    codes = {"containerName": middle.name, "operator": "NotIn", "values": [TERMINATED]}
    return [{"action": "FailJob", "onExitCodes": codes}]


def _collect(runner: Body, middle: Middle) -> Body:
    mounts = [
        *runner["volumeMounts"],
        {"name": "in", "mountPath": IN_DIR},
        {"name": "out", "mountPath": OUT_DIR},  # which it empties, should it run again
        {"name": "state", "mountPath": STATE_DIR},
    ]
    if middle.followed:
        mounts.append({"name": "checkpoint", "mountPath": CHECKPOINT_DIR})
    if middle.config_map:
        mounts.append({"name": "code", "mountPath": CODE_DIR, "readOnly": True})
    return {**runner, "name": COLLECT, "args": [middle.first], "volumeMounts": mounts}


def _users(runner: Body, middle: Middle) -> Body:
    own = list(map(dict, middle.env))
    home = [] if any(one["name"] == "HOME" for one in own) else [{"name": "HOME", "value": "/tmp"}]  # noqa: S108 - a volume of its own
    given = {"command": middle.command, "args": middle.args}
    followed = [{"name": "TIDEMILL_CHECKPOINT", "value": CHECKPOINT_DIR}]
    kept = [{"name": "checkpoint", "mountPath": CHECKPOINT_DIR}]
    return {
        "name": middle.name,
        "image": middle.image,
        **{name: list(words) for name, words in given.items() if words},
        "env": [
            {"name": "TIDEMILL_IN", "value": IN_DIR},
            {"name": "TIDEMILL_OUT", "value": OUT_DIR},
            *(followed if middle.followed else ()),
            *home,
            *own,
        ],
        "resources": runner["resources"],
        "securityContext": CONTAINER_SECURITY,
        "terminationMessagePolicy": "FallbackToLogsOnError",
        "volumeMounts": [
            {"name": "in", "mountPath": IN_DIR, "readOnly": True},
            {"name": "out", "mountPath": OUT_DIR},
            *(kept if middle.followed else ()),
            {"name": "code-tmp", "mountPath": "/tmp"},  # noqa: S108 - a volume of its own
        ],
    }


def _follow(runner: Body) -> Body:
    """Build a sidecar: started before the user's container, ended after all others."""
    mounts = [
        *(mount for mount in runner["volumeMounts"] if mount["name"] in _OF_FOLLOWER),
        {"name": "out", "mountPath": OUT_DIR, "readOnly": True},
        {"name": "checkpoint", "mountPath": CHECKPOINT_DIR, "readOnly": True},
    ]
    told = {"name": FOLLOWER, "args": [FOLLOWER], "restartPolicy": "Always"}
    return {**runner, **told, "resources": _FOLLOWER_RESOURCES, "volumeMounts": mounts}


def _conclude(runner: Body, middle: Middle) -> Body:
    mounts = [
        *_without(runner, _OF_SOURCE),
        {"name": "out", "mountPath": OUT_DIR, "readOnly": True},
        {"name": "state", "mountPath": STATE_DIR, "readOnly": True},
    ]
    return {**runner, "args": [middle.last], "volumeMounts": mounts}


def _without(runner: Body, names: set[str]) -> list[Body]:
    """Give what our own container mounts, less what another of the pod is for."""
    return [mount for mount in runner["volumeMounts"] if mount["name"] not in names]
