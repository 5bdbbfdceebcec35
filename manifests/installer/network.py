"""What the network policies cannot know: where the API server is, and where a store of your own."""

import ipaddress
import re
from collections.abc import Iterable, Iterator
from urllib.parse import urlsplit

from .kubectl import Body, Kubectl
from .store import NAMESPACE, Place

LABEL = "tidemill.dev/network"
KIND = "networkpolicies"
# Where clouds tell a machine who it is, and what only one link knows.
NEVER = ("169.254.0.0/16", "fe80::/10", "fd00:ec2::/32")
EVERY = ("0.0.0.0/0", "::/0")
SERVICE = re.compile(r"[^.]+\.([^.]+)\.svc(?:\.cluster\.local)?\.?")
PORTS = {"http": 80, "https": 443}


def patches(kubectl: Kubectl, place: Place, *, in_cluster: bool) -> list[Body]:
    """Give what is to be changed in the policies of a namespace."""
    anywhere = _anywhere([*NEVER, *api_server(kubectl)])
    found = [_patch("tidemill-outside", [{"to": anywhere}])]
    if not in_cluster:
        url = urlsplit(place.endpoint)
        port = {"protocol": "TCP", "port": url.port or PORTS.get(url.scheme, 443)}
        rule: Body = {"to": anywhere, "ports": [port]}
        if inside := SERVICE.fullmatch(url.hostname or ""):
            # A policy judges the pod's port, of which a Service's says nothing.
            labels = {"kubernetes.io/metadata.name": inside[1]}
            rule = {"to": [{"namespaceSelector": {"matchLabels": labels}}]}
        found.append(_patch("tidemill-store", [rule]))
    return found


def api_server(kubectl: Kubectl) -> list[str]:
    """Give the addresses of the API server: that of its Service, and those behind it."""
    service = kubectl.get("service", "kubernetes", "-n", "default") or {}
    behind = kubectl.get(
        "endpointslices", "-l", "kubernetes.io/service-name=kubernetes", "-n", "default"
    )
    listed = [
        *service.get("spec", {}).get("clusterIPs", ()),
        *(
            address
            for part in (behind or {}).get("items", ())
            for endpoint in part.get("endpoints") or ()
            for address in endpoint["addresses"]
        ),
    ]
    return [str(ipaddress.ip_network(address)) for address in dict.fromkeys(listed)]


def withdraw_others(kubectl: Kubectl, closed: tuple[str, ...]) -> None:
    """Delete the policies of an earlier installation that these namespaces do not have."""
    found = kubectl.get(KIND, "-A", "-l", LABEL) or {}
    having = {item["metadata"]["namespace"] for item in found.get("items", ())}
    keeps = {*closed, *([NAMESPACE] if closed else [])}
    for namespace in sorted(having - keeps):
        kubectl.delete(KIND, "-n", namespace, "-l", LABEL)


def _anywhere(but: Iterable[str]) -> list[Body]:
    return [{"ipBlock": block} for block in _blocks([ipaddress.ip_network(one) for one in but])]


def _blocks(but: list[ipaddress.IPv4Network | ipaddress.IPv6Network]) -> Iterator[Body]:
    for cidr in EVERY:
        version = ipaddress.ip_network(cidr).version
        yield {"cidr": cidr, "except": [str(one) for one in but if one.version == version]}


def _patch(name: str, egress: list[Body]) -> Body:
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": {"name": name},
        "spec": {"egress": egress},
    }
