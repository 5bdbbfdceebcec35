"""NetworkPolicies decided as Kubernetes defines them: who may begin a connection with whom."""

import ipaddress
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

Body = Mapping[str, Any]


@dataclass(frozen=True)
class Peer:
    """One end of a connection: a pod, or with an empty namespace an address outside."""

    name: str
    namespace: str = ""
    labels: Mapping[str, str] = field(default_factory=dict)
    ip: str = "10.1.2.3"


@dataclass(frozen=True)
class Network:
    """A cluster with its policies.

    What an ipBlock means for a pod's own address is left to each network: `blocks_match_pods`.
    """

    policies: tuple[Body, ...]
    blocks_match_pods: bool

    def lets(self, source: Peer, target: Peer, port: int, protocol: str = "TCP") -> bool:
        """Decide: both ends have to allow it, and an end that nothing selects allows all."""
        on = (port, protocol)
        return self._allows("Egress", source, target, on) and self._allows(
            "Ingress", target, source, on
        )

    def _allows(self, way: str, own: Peer, other: Peer, on: tuple[int, str]) -> bool:
        if not own.namespace:
            return True
        mine = [
            one["spec"]
            for one in self.policies
            if one["metadata"]["namespace"] == own.namespace
            and _selects(one["spec"]["podSelector"], own.labels)
            and way in one["spec"]["policyTypes"]
        ]
        peers = {"Egress": "to", "Ingress": "from"}[way]
        rules = (rule for spec in mine for rule in spec.get(way.lower()) or ())
        return not mine or any(
            self._matches(rule.get(peers), own, other) and _covers(rule.get("ports"), *on)
            for rule in rules
        )

    def _matches(self, peers: Iterable[Body] | None, own: Peer, other: Peer) -> bool:
        return not peers or any(self._is_peer(peer, own, other) for peer in peers)

    def _is_peer(self, peer: Body, own: Peer, other: Peer) -> bool:
        if block := peer.get("ipBlock"):
            inside = _within(block["cidr"], other.ip)
            excepted = any(_within(one, other.ip) for one in block.get("except") or ())
            return inside and not excepted and (self.blocks_match_pods or not other.namespace)
        if not other.namespace:
            return False
        if "namespaceSelector" in peer:
            there = {"kubernetes.io/metadata.name": other.namespace}
            if not _selects(peer["namespaceSelector"], there):
                return False
        elif other.namespace != own.namespace:
            return False
        return _selects(peer.get("podSelector") or {}, other.labels)


def _selects(selector: Body, labels: Mapping[str, str]) -> bool:
    equal = (selector.get("matchLabels") or {}).items() <= labels.items()
    for one in selector.get("matchExpressions") or ():
        assert one["operator"] == "In", "the only one used"
        equal = equal and labels.get(one["key"]) in one["values"]
    return equal


def _covers(ports: Iterable[Body] | None, port: int, protocol: str) -> bool:
    return ports is None or any(
        one.get("protocol", "TCP") == protocol
        and one["port"] <= port <= one.get("endPort", one["port"])
        for one in ports
    )


def _within(network: str, ip: str) -> bool:
    return ipaddress.ip_address(ip) in ipaddress.ip_network(network)
