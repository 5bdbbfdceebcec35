"""The cluster as the demonstration uses it: kubectl, and nothing that a user could not do."""

import base64
import json
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from .failure import DemoError
from .programs import read

Body = dict[str, Any]
NAMESPACE = "demo"
SYSTEM = "tidemill-system"


@dataclass(frozen=True)
class Cluster:
    """One kubectl with one kubeconfig."""

    kubectl: str
    kubeconfig: str

    @staticmethod
    def chosen() -> "Cluster":
        """The one that CLUSTER names."""
        found = json.loads(read(sys.executable, "images/with_cluster.py", "--print"))
        if not found["running"]:
            raise DemoError("The cluster does not run; bring it up with: make cluster-up")
        return Cluster(found["kubectl"], found["KUBECONFIG"])

    @property
    def command(self) -> tuple[str, ...]:
        return (self.kubectl, f"--kubeconfig={self.kubeconfig}")

    def run(self, *arguments: str, given: str | None = None) -> str:
        return read(*self.command, *arguments, given=given)

    def get(self, kind: str, name: str, namespace: str = NAMESPACE) -> Body | None:
        """Reads an object; None when there is none."""
        command = ("get", kind, name, "-n", namespace, "--ignore-not-found", "-o", "json")
        text = self.run(*command)
        return json.loads(text) if text.strip() else None

    def apply(self, *bodies: Body) -> None:
        items = {"apiVersion": "v1", "kind": "List", "items": list(bodies)}
        self.run("apply", "-f", "-", given=json.dumps(items))

    def secret(self, name: str, namespace: str) -> dict[str, str]:
        """The values of a Secret; empty when there is none."""
        data = (self.get("secret", name, namespace) or {}).get("data", {})
        return {key: base64.b64decode(value).decode() for key, value in data.items()}

    def ask(self, service: str, path: str, document: Body | None = None) -> Body:
        """A request to a Service, carried by the API server."""
        address = f"{proxy(service)}{path}"
        if document is None:
            answer: Body = json.loads(self.run("get", "--raw", address))
        else:
            body = json.dumps(document)
            answer = json.loads(self.run("create", "--raw", address, "-f", "-", given=body))
        return answer


def proxy(service: str) -> str:
    return f"/api/v1/namespaces/{NAMESPACE}/services/{service}:http/proxy"


def secret(name: str, values: Mapping[str, str]) -> Body:
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": name, "namespace": NAMESPACE},
        "stringData": dict(values),
    }
