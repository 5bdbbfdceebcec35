"""Fake nodes: kwok answers for nodes that do not exist, so that thousands of pods cost nothing.

They are labelled `type=kwok` and tainted, so that only pods meant for them (a toleration and a node
selector) go there. A pod of a Job ends well a moment after it started; others run until deleted.
"""

from pathlib import Path

from .api import Api, Object
from .layout import FAKE_PODS, Layout
from .ports import Ports
from .processes import Program

LABEL = "type=kwok"
TAINT = {"key": "kwok.x-k8s.io/node", "value": "fake", "effect": "NoSchedule"}
STAGES = Path(__file__).resolve().parent.parent / "stages.yaml"
LEASE_SECONDS = 20  # renewed every quarter of it, within the controller manager's grace period
CAPACITY = {"cpu": "64", "memory": "256Gi", "ephemeral-storage": "1Ti", "pods": "1000"}


def controller(layout: Layout, ports: Ports) -> Program:
    stages = layout.config / "kwok.yaml"
    flags = {
        "kubeconfig": layout.kubeconfig,
        "config": stages,
        "manage-all-nodes": "false",
        "manage-nodes-with-label-selector": LABEL,
        "cidr": FAKE_PODS,
        "node-lease-duration-seconds": LEASE_SECONDS,
        "server-address": f"127.0.0.1:{ports['kwok']}",
        "v": "WARN",  # every change of a pod would be a line
    }
    command = [layout.program("kwok"), *(f"--{name}={value}" for name, value in flags.items())]
    return Program("kwok", tuple(command), {stages: STAGES.read_text()})


def set_nodes(api: Api, count: int) -> None:
    """Makes the number of fake nodes exactly this."""
    wanted = {name(number) for number in range(count)}
    present = {node["metadata"]["name"] for node in api.list("Node", LABEL)}
    for extra in sorted(present - wanted):
        api.delete("Node", extra)
    for missing in sorted(wanted - present):
        api.apply(node(missing))


def ready_nodes(api: Api) -> int:
    return sum(is_ready(node) for node in api.list("Node", LABEL))


def is_ready(node: Object) -> bool:
    conditions = node.get("status", {}).get("conditions", [])
    return any(one["type"] == "Ready" and one["status"] == "True" for one in conditions)


def name(number: int) -> str:
    return f"fake-{number:04d}"


def node(name: str) -> Object:
    key, value = LABEL.split("=")
    return {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {
            "name": name,
            "labels": {
                key: value,
                "kubernetes.io/hostname": name,
                "kubernetes.io/os": "linux",
                "node-role.kubernetes.io/fake": "",
            },
            "annotations": {"kwok.x-k8s.io/node": "fake"},
        },
        "spec": {"taints": [TAINT]},
        "status": {"capacity": CAPACITY, "allocatable": CAPACITY},
    }
