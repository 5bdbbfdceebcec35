"""Fixtures: one API server for all tests of this folder, a namespace for each."""

import asyncio
import itertools
import os
from collections.abc import AsyncIterator, Iterator
from functools import partial

import pytest
from tests.apiserver.control_plane import REPOSITORY, ControlPlane, binary, control_plane
from tests.apiserver.kubectl import Kubectl, RefusedError
from tests.apiserver.waiting import eventually

from tidemill.kube.client import Client
from tidemill.kube.connection import Connection
from tidemill.kube.resources import DATASETS, MODEL_DEPLOYMENTS, NAMESPACES, TRAINING_RUNS

_numbers = itertools.count(1)


@pytest.fixture(scope="session")
def plane(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ControlPlane]:
    """Give the running pair of etcd and kube-apiserver."""
    with control_plane(tmp_path_factory.mktemp("control-plane")) as running:
        yield running


@pytest.fixture(scope="session")
def kubectl(plane: ControlPlane) -> Kubectl:
    """Give a kubectl of an administrator, with our CRDs installed."""
    kubectl = Kubectl(str(binary("kubectl")), plane.kubeconfig)
    kubectl("apply", "--server-side", "-f", str(REPOSITORY / "crds"))
    # Objects are taken a moment later, and explanations of them are published last.
    asyncio.run(eventually(partial(_explained, kubectl)))
    return kubectl


async def _explained(kubectl: Kubectl) -> bool:
    try:
        for resource in (DATASETS, TRAINING_RUNS, MODEL_DEPLOYMENTS):
            kubectl("explain", f"{resource.plural}.spec")
    except RefusedError:
        return False
    return True


@pytest.fixture
async def connection(plane: ControlPlane) -> Connection:
    """Connect as an administrator."""
    return await Connection.load(str(plane.kubeconfig))


@pytest.fixture
async def client(connection: Connection) -> AsyncIterator[Client]:
    """Give a client of an administrator."""
    async with Client(connection) as client:
        yield client


@pytest.fixture
async def namespace(client: Client) -> str:
    """Make a namespace for one test."""
    name = f"t{next(_numbers)}-{os.getpid()}"
    await client.create(
        NAMESPACES, {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}
    )
    return name
