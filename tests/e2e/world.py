"""One namespace of the real cluster, as a test uses it: objects in, conditions of the world out."""

import json
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from tests.apiserver.kubectl import Body, Kubectl, RefusedError

API_VERSION = "tidemill.dev/v1alpha1"
POLL_SECONDS = 0.25
SUMMARY = {"Dataset": "Ready", "TrainingRun": "Succeeded", "ModelDeployment": "Ready"}
WORK_SECONDS = 400.0


def condition(body: Mapping[str, Any], kind: str) -> dict[str, Any]:
    """Give a condition of an object; empty when it has none of that type."""
    found = body.get("status", {}).get("conditions") or ()
    return next((dict(c) for c in found if c["type"] == kind), {})


def summary(body: Mapping[str, Any]) -> dict[str, Any]:
    """Give the summary condition of one of our objects."""
    return condition(body, SUMMARY[body["kind"]])


def tells(body: Mapping[str, Any], reason: str) -> bool:
    """Tell whether the summary speaks of the present spec and carries a reason."""
    found = summary(body)
    fresh = found.get("observedGeneration") == body["metadata"]["generation"]
    return bool(fresh and found["reason"] == reason)


def settled(body: Mapping[str, Any]) -> bool:
    """Tell whether the status speaks of the present spec and nothing is under way."""
    fresh = body.get("status", {}).get("observedGeneration") == body["metadata"]["generation"]
    return fresh and not condition(body, "Reconciling")


@dataclass(frozen=True)
class World:
    """A namespace, and whatever a user could do in it."""

    kubectl: Kubectl
    namespace: str

    def apply(self, kind: str, name: str, spec: Mapping[str, Any], **metadata: Any) -> Body:
        """Apply one of our objects."""
        return self.kubectl.apply(self.manifest(kind, name, spec, **metadata))

    def apply_all(self, kind: str, wanted: Mapping[str, Mapping[str, Any]]) -> None:
        """Apply many of our objects at once: their specs by their names."""
        self.apply_list([self.manifest(kind, name, spec) for name, spec in wanted.items()])

    def apply_list(self, items: Sequence[Body]) -> None:
        """Apply whole manifests at once."""
        self.kubectl.apply({"apiVersion": "v1", "kind": "List", "items": list(items)})

    def manifest(self, kind: str, name: str, spec: Mapping[str, Any], **metadata: Any) -> Body:
        """Write one of our objects."""
        head = {"name": name, "namespace": self.namespace, **metadata}
        return {"apiVersion": API_VERSION, "kind": kind, "metadata": head, "spec": dict(spec)}

    def get(self, kind: str, name: str) -> Body | None:
        """Read an object; None when there is none."""
        try:
            return self.kubectl.get(kind, name, "-n", self.namespace)
        except RefusedError as error:
            if "NotFound" in str(error):
                return None
            raise

    def read(self, kind: str, name: str) -> Body:
        """Read an object that is there."""
        return self.kubectl.get(kind, name, "-n", self.namespace)

    def list(self, kind: str, *flags: str) -> list[Body]:
        """Read all objects of a kind in the namespace."""
        items: list[Body] = self.kubectl.get(kind, "-n", self.namespace, *flags)["items"]
        return items

    def delete(self, kind: str, name: str, *flags: str) -> None:
        """Delete an object and wait until it is gone."""
        self.kubectl("delete", kind, name, "-n", self.namespace, "--ignore-not-found", *flags)

    def patch(self, kind: str, name: str, change: Mapping[str, Any]) -> None:
        """Merge a change into an object, as somebody would by hand."""
        text = json.dumps(change)
        self.kubectl("patch", kind, name, "-n", self.namespace, "--type=merge", "-p", text)

    def secret(self, name: str, values: Mapping[str, str]) -> None:
        """Write a Secret."""
        self.kubectl.apply(
            {
                "apiVersion": "v1",
                "kind": "Secret",
                "metadata": {"name": name, "namespace": self.namespace},
                "stringData": dict(values),
            }
        )

    def wait(
        self,
        kind: str,
        name: str,
        until: Callable[[Body], object],
        within: float = WORK_SECONDS,
    ) -> Body:
        """Read an object until the condition holds; fail with its status when it never does."""
        last: Body | None = None

        def holds() -> bool:
            nonlocal last
            last = self.get(kind, name)
            return last is not None and bool(until(last))

        try:
            eventually(holds, within)
        except TimeoutError:
            told = json.dumps((last or {}).get("status"), indent=1)
            raise AssertionError(f"{kind} {name} after {within:.0f} s: {told}") from None
        assert last is not None
        return last

    def wait_ready(self, kind: str, name: str, within: float = WORK_SECONDS) -> Body:
        """Wait until an object is settled and its summary is True."""
        return self.wait(
            kind, name, lambda b: settled(b) and summary(b).get("status") == "True", within
        )

    def wait_reason(self, kind: str, name: str, reason: str, within: float = WORK_SECONDS) -> Body:
        """Wait until the summary of what the object asks for now carries a reason."""
        return self.wait(kind, name, lambda b: tells(b, reason), within)

    def wait_stalled(self, kind: str, name: str, reason: str, within: float = WORK_SECONDS) -> str:
        """Wait until an object says that somebody must act, and why; gives the message."""
        body = self.wait(kind, name, lambda b: tells(b, reason) and condition(b, "Stalled"), within)
        found = summary(body)
        assert found["status"] == "False"
        assert condition(body, "Stalled")["status"] == "True"
        message: str = found["message"]
        return message


def eventually(ask: Callable[[], object], within: float = WORK_SECONDS) -> None:
    """Ask again and again until the answer is true; TimeoutError when it never is."""
    deadline = time.monotonic() + within
    while not ask():
        if time.monotonic() > deadline:
            raise TimeoutError(f"not true within {within:.0f} s")
        time.sleep(POLL_SECONDS)


@contextmanager
def temporary_namespace(kubectl: Kubectl, name: str) -> Iterator[World]:
    """Make a namespace for one test; it goes afterwards, without waiting for it."""
    labels = {
        "tidemill.dev/e2e": "true",
        "pod-security.kubernetes.io/enforce": "restricted",
    }
    metadata = {"name": name, "labels": labels}
    kubectl.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": metadata})
    try:
        yield World(kubectl, name)
    finally:
        kubectl("delete", "namespace", name, "--wait=false", "--ignore-not-found")
