"""The containers in our pods that are not ours: what they say, anybody may have said."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from tidemill.api.v1alpha1.reasons import Reason

PREPARE, SCRIPT, TRAIN, SERVE = "prepare", "script", "train", "model"


@dataclass(frozen=True, slots=True)
class Foreign:
    """By which field of a spec such a container is there, and the reason when it fails."""

    field: str
    reason: Reason


FOREIGN: Mapping[str, Foreign] = {
    PREPARE: Foreign("spec.prepare.container", Reason.PREPARE_FAILED),
    SCRIPT: Foreign("spec.estimator.script", Reason.FIT_FAILED),
    TRAIN: Foreign("spec.estimator.container", Reason.FIT_FAILED),
    SERVE: Foreign("spec.model.container", Reason.CONTAINER_FAILED),
}
# Of the user's containers' volumes, those whose limit only they can pass, and how each is named.
ROOMS: Mapping[str, str] = {
    "out": "the folder of TIDEMILL_OUT",
    "code-tmp": "/tmp",  # noqa: S108 - a volume of its own
    "checkpoint": "the folder of TIDEMILL_CHECKPOINT",
}
INDEX_ANNOTATION = "batch.kubernetes.io/job-completion-index"
# Ended from outside, or since another rank was lost: by these no code says that it failed.
_NO_WORD = (0, 137, 143)


def rank_of(pod: Mapping[str, Any], container: str) -> str:
    """Say in which of several pods a user's code that trains was; nothing where it is alone."""
    number = (pod["metadata"].get("annotations") or {}).get(INDEX_ANNOTATION)
    trains = container in (SCRIPT, TRAIN)
    return f" of rank {number}" if trains and number is not None else ""


def first_to_fail(pods: Iterable[Mapping[str, Any]]) -> Mapping[str, Any] | None:
    """Give the rank whose code failed first: the others often fail of that.

    One that passed its memory limit goes before them all: times have whole seconds, and of it no
    code says that it failed.
    """
    failed = []
    for pod in pods:
        for one in pod.get("status", {}).get("initContainerStatuses") or ():
            ended = (one.get("state") or {}).get("terminated") or {}
            full = ended.get("reason") == "OOMKilled"
            bad = full or ended.get("exitCode", 0) not in _NO_WORD
            if bad and rank_of(pod, one["name"]):
                failed.append((not full, str(ended.get("finishedAt", "")), pod))
    return min(failed, key=lambda one: one[:2])[2] if failed else None
