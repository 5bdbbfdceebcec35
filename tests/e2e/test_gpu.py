"""GPUs: a run gets to a node that has one when it asks for it and is let, else it says why not.

The node is one of kwok's: it has GPUs in name, and pods on it do nothing and end well.
"""

import json
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest
from tests.apiserver.control_plane import REPOSITORY
from tests.apiserver.kubectl import Kubectl
from tests.e2e import specs
from tests.e2e.components import components_of
from tests.e2e.raw_store import RawStore
from tests.e2e.test_path import rows
from tests.e2e.world import World

# Nodes come and go: tests of lost nodes count on there being one.
pytestmark = pytest.mark.disruptive
NODE = "fake-0000"
GPU = "nvidia.com/gpu"
FAKE = {"key": "kwok.x-k8s.io/node", "operator": "Exists", "effect": "NoSchedule"}
WITH_GPU = {"key": GPU, "operator": "Exists", "effect": "NoSchedule"}


@pytest.fixture(scope="module", autouse=True)
def _node(kubectl: Kubectl) -> Iterator[None]:
    components = components_of(kubectl)
    if components is None:
        pytest.skip("only the local cluster can have fake nodes")
    program = [sys.executable, str(REPOSITORY / "tests/cluster/fake_nodes.py")]
    name = f"--name={components.name}"
    subprocess.run([*program, "--nodes=1", name], check=True, capture_output=True, timeout=300)
    try:
        amounts = {"capacity": {GPU: "2"}, "allocatable": {GPU: "2"}}
        change = json.dumps({"status": amounts})
        kubectl("patch", "node", NODE, "--subresource=status", "--type=merge", "-p", change)
        kubectl("taint", "node", NODE, f"{GPU}=present:NoSchedule")
        yield
    finally:
        subprocess.run([*program, "--nodes=0", name], check=True, capture_output=True, timeout=120)


def template(gpus: int, *tolerated: dict[str, str]) -> dict[str, Any]:
    amounts = {"requests": {"cpu": "1", "memory": "1Gi"}, "limits": {"memory": "1Gi", GPU: gpus}}
    selector = {"type": "kwok"}
    return {"resources": amounts, "nodeSelector": selector, "tolerations": list(tolerated)}


def test_a_run_gets_to_a_gpu_only_where_it_asks_and_is_let(world: World, raw: RawStore) -> None:
    raw.put(f"{world.namespace}/one.csv", rows(60))
    world.apply("Dataset", "data", specs.dataset(f"{world.namespace}/"))
    world.wait_ready("Dataset", "data")
    asked = {
        "asks": template(1, FAKE, WITH_GPU),
        "kept-out": template(1, FAKE),
        "too-many": template(3, FAKE, WITH_GPU),
    }
    runs = {name: specs.training_run("data", template=each) for name, each in asked.items()}
    world.apply_all("TrainingRun", runs)
    message = world.wait_stalled("TrainingRun", "kept-out", "Unschedulable")
    assert "taint" in message
    message = world.wait_stalled("TrainingRun", "too-many", "Unschedulable")
    assert f"Insufficient {GPU}" in message
    job = world.read("TrainingRun", "asks")["status"]["job"]
    (pod,) = world.list("pods", "-l", f"job-name={job}")
    assert pod["spec"]["nodeName"] == NODE
    [container] = pod["spec"]["containers"]
    assert container["resources"]["limits"][GPU] == "1"
    # Whatever ran there has left no result: nobody takes it for one.
    world.wait_stalled("TrainingRun", "asks", "ResultMissing")
