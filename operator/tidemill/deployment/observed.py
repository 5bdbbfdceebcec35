"""The facts about a ModelDeployment that a decision is made from."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from tidemill.api.v1alpha1.conditions import Verdict
from tidemill.children.pods import Diagnosis
from tidemill.deployment.said import Answer
from tidemill.deployment.shelf import Shelf
from tidemill.deployment.target import SEVERAL, Target

REVISION_LABEL = "tidemill.dev/revision"
DIGEST_ANNOTATION = "tidemill.dev/model-digest"
URI_ANNOTATION = "tidemill.dev/model-uri"
# The list that the pods of several models were told last. It is of the Deployment and not of its
# pods, so that no change of it makes new ones.
LIST_ANNOTATION = "tidemill.dev/models"
URI_VARIABLE = "TIDEMILL_MODEL_URI"
DIGEST_VARIABLE = "TIDEMILL_MODEL_DIGEST"
MODELS_VARIABLE = "TIDEMILL_MODELS"


@dataclass(frozen=True, slots=True)
class DeploymentView:
    """A Deployment of one model version, or of several models."""

    name: str
    uid: str
    revision: str
    target: Target
    replicas: int
    ready: int
    available: bool
    body: Mapping[str, Any] = field(default_factory=dict, compare=False, repr=False)

    @property
    def listed(self) -> str | None:
        """Give the list that its pods were told last; None where that is not known."""
        notes = self.body.get("metadata", {}).get("annotations") or {}
        return notes.get(LIST_ANNOTATION)

    def has_port(self, name: str) -> bool:
        """Tell whether its pods listen on the port of this name."""
        pod = self.body.get("spec", {}).get("template", {}).get("spec", {})
        ports = (port for one in pod.get("containers") or () for port in one.get("ports") or ())
        return any(port.get("name") == name for port in ports)


@dataclass(frozen=True, slots=True)
class Observed:
    """The world as `decide` sees it; `target` is a verdict where there is nothing to serve yet."""

    target: Target | Verdict
    deployments: tuple[DeploymentView, ...] = ()
    selected: str | None = None
    trouble: Diagnosis | None = None
    # Where several models are wanted: which, and what pods say of them by their revision.
    shelf: Shelf | None = None
    answers: Mapping[str, tuple[Answer, ...]] = field(default_factory=dict)

    def list_for(self, one: DeploymentView, *, frozen: bool = False) -> str | None:
        """Give the list that a Deployment's pods are to be told; None where none is known.

        What they were told stays while it is `frozen`, and while nothing else can be told.
        """
        if frozen or self.shelf is None or self.shelf.empty or self.shelf.fault:
            return one.listed
        return self.shelf.text


def view(body: Mapping[str, Any]) -> DeploymentView:
    """Read a Deployment; available means that every pod of the present template answers."""
    metadata, spec, status = body["metadata"], body["spec"], body.get("status", {})
    wanted = int(spec.get("replicas", 1))
    ready = int(status.get("readyReplicas") or 0)
    updated = int(status.get("updatedReplicas") or 0)
    target = _told(spec["template"]["spec"])
    # The note of another list counts as a generation as well, and is nothing to its pods.
    seen = int(status.get("observedGeneration") or 0) >= int(metadata["generation"])
    seen = seen or (target.several and "observedGeneration" in status)
    return DeploymentView(
        name=metadata["name"],
        uid=metadata["uid"],
        revision=(metadata.get("labels") or {}).get(REVISION_LABEL, ""),
        target=target,
        replicas=wanted,
        ready=ready,
        available=seen and ready >= wanted and updated >= wanted,
        body=body,
    )


def _told(pod: Mapping[str, Any]) -> Target:
    """Read which model the pods are told to load."""
    told = {
        variable["name"]: str(variable.get("value", ""))
        for container in pod["containers"]
        for variable in container.get("env") or ()
    }
    if MODELS_VARIABLE in told:
        return SEVERAL
    return Target(told.get(URI_VARIABLE, ""), told.get(DIGEST_VARIABLE, ""))
