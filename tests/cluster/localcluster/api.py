"""A small client of the cluster's API server, as its administrator: read, apply, delete."""

import http.client
import json
import ssl
from typing import Any
from urllib.parse import urlencode

from .certificates import CLUSTER
from .failure import ClusterError
from .layout import GATEWAY, Layout
from .ports import Ports

MANAGER = "tidemill-cluster"
PATHS = {
    "Namespace": "/api/v1/namespaces",
    "Node": "/api/v1/nodes",
    "PersistentVolume": "/api/v1/persistentvolumes",
    "StorageClass": "/apis/storage.k8s.io/v1/storageclasses",
    "ClusterRole": "/apis/rbac.authorization.k8s.io/v1/clusterroles",
    "ClusterRoleBinding": "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings",
}
TIMEOUT_SECONDS = 10.0

Object = dict[str, Any]


class Api:
    """Objects without a namespace, as dictionaries."""

    def __init__(self, layout: Layout, ports: Ports) -> None:
        self._address = (GATEWAY, ports["kube-apiserver"])
        self._context = client_context(layout)

    def list(self, kind: str, labels: str = "") -> list[Object]:
        query = f"?{urlencode({'labelSelector': labels})}" if labels else ""
        items: list[Object] = self._request("GET", PATHS[kind] + query)["items"]
        return items

    def apply(self, body: Object) -> None:
        query = urlencode({"fieldManager": MANAGER, "force": "true"})
        path = f"{PATHS[body['kind']]}/{body['metadata']['name']}?{query}"
        self._request("PATCH", path, body)

    def delete(self, kind: str, name: str) -> None:
        self._request("DELETE", f"{PATHS[kind]}/{name}")

    def _request(self, method: str, path: str, body: Object | None = None) -> Object:
        connection = http.client.HTTPSConnection(
            *self._address, context=self._context, timeout=TIMEOUT_SECONDS
        )
        try:
            content = None if body is None else json.dumps(body).encode()
            headers = {"Content-Type": "application/apply-patch+yaml"} if content else {}
            connection.request(method, path, content, headers)
            answer = connection.getresponse()
            document: Object = json.loads(answer.read())
        except OSError as error:
            raise ClusterError(f"the API server does not answer: {error}") from error
        finally:
            connection.close()
        if answer.status >= 300:
            raise ClusterError(f"{method} {path}: {document.get('message', answer.status)}")
        return document


def client_context(layout: Layout) -> ssl.SSLContext:
    """Trusts the cluster's authority only, and shows the administrator's certificate."""
    context = ssl.create_default_context(cafile=str(layout.pki / f"{CLUSTER}.crt"))
    context.load_cert_chain(str(layout.pki / "admin.crt"), str(layout.pki / "admin.key"))
    return context
