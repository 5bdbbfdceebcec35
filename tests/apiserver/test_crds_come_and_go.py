"""CRDs that come after the operator, and go while it runs: never a process that watches nothing."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.apiserver.control_plane import REPOSITORY, ControlPlane, binary, control_plane
from tests.apiserver.crd_objects import minimal
from tests.apiserver.kubectl import Kubectl
from tests.apiserver.running import Toy, toy
from tests.apiserver.waiting import eventually


@pytest.fixture
def bare(tmp_path: Path) -> Iterator[ControlPlane]:
    """Give an API server of its own that has never heard of our kinds."""
    directory = tmp_path / "control-plane"
    directory.mkdir()
    with control_plane(directory) as running:
        yield running


async def test_the_operator_waits_for_its_crds_and_ends_when_one_goes(
    bare: ControlPlane, tmp_path: Path
) -> None:
    kubectl = Kubectl(str(binary("kubectl")), bare.kubeconfig)
    async with toy(tmp_path, bare.kubeconfig, "default", wait=False) as operator:
        await eventually(lambda: waits_for_crds(operator))
        assert await operator.get("/readyz") == (503, "waits for the watches to start\n")
        kubectl("apply", "--server-side", "-f", str(REPOSITORY / "crds"))
        await eventually(operator.ready)
        kubectl.apply(minimal("Dataset"))
        await eventually(lambda: is_reconciled(operator))
        kubectl("delete", "crd", "datasets.tidemill.dev")
        assert await operator.ended(within=60) == 1


async def waits_for_crds(operator: Toy) -> bool:
    return "Waiting for the CRD of datasets.tidemill.dev" in operator.log.read_text()


async def is_reconciled(operator: Toy) -> bool:
    return operator.reconciled("Dataset/default/example") > 0
