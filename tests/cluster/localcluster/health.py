"""Whether a component answers: one question for each, asked over its own health endpoint."""

import http.client
import socket
import ssl
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from .api import client_context
from .layout import GATEWAY, Layout
from .ports import Ports

TIMEOUT_SECONDS = 2.0
LOCAL = "127.0.0.1"


@dataclass(frozen=True)
class Endpoint:
    host: str
    port: int
    path: str
    secure: bool = False


def probes(layout: Layout, ports: Ports) -> dict[str, Callable[[], bool]]:
    endpoints = {
        "registry": Endpoint(LOCAL, ports["registry"], "/v2/"),
        "etcd": Endpoint(LOCAL, ports["etcd-metrics"], "/health"),
        "kube-apiserver": Endpoint(GATEWAY, ports["kube-apiserver"], "/readyz", secure=True),
        "kube-controller-manager": Endpoint(
            LOCAL, ports["kube-controller-manager"], "/healthz", secure=True
        ),
        "kube-scheduler": Endpoint(LOCAL, ports["kube-scheduler"], "/readyz", secure=True),
        "kubelet": Endpoint(LOCAL, ports["kubelet-health"], "/healthz"),
        "kube-proxy": Endpoint(LOCAL, ports["kube-proxy-health"], "/healthz"),
        "coredns": Endpoint(LOCAL, ports["coredns-ready"], "/ready"),
        "kwok": Endpoint(LOCAL, ports["kwok"], "/healthz"),
    }

    def http_probe(endpoint: Endpoint) -> Callable[[], bool]:
        return lambda: _answers(endpoint, client_context(layout) if endpoint.secure else None)

    found = {name: http_probe(endpoint) for name, endpoint in endpoints.items()}
    return found | {"containerd": lambda: listens(layout.containerd_socket)}


def _answers(endpoint: Endpoint, context: ssl.SSLContext | None) -> bool:
    address = (endpoint.host, endpoint.port)
    connection = (
        http.client.HTTPConnection(*address, timeout=TIMEOUT_SECONDS)
        if context is None
        else http.client.HTTPSConnection(*address, timeout=TIMEOUT_SECONDS, context=context)
    )
    try:
        connection.request("GET", endpoint.path)
        return connection.getresponse().status == 200
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def listens(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX) as probe:
        probe.settimeout(TIMEOUT_SECONDS)
        try:
            probe.connect(str(path))
        except OSError:
            return False
    return True
