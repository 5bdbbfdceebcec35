"""The real cluster with Tidemill installed; every test has a namespace of its own."""

import json
import os
import re
import secrets
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.apiserver.kubectl import Kubectl
from tests.e2e.raw_store import RawStore, raw_store
from tests.e2e.specs import RAW_SECRET
from tests.e2e.world import World, temporary_namespace

ROOT = Path(__file__).resolve().parents[2]
# For what hangs. Each wait has a limit of its own, which says what it waited for.
LIMIT_SECONDS = 900


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    here = Path(__file__).parent
    for item in items:
        if here in item.path.parents:
            item.add_marker(pytest.mark.timeout(LIMIT_SECONDS))


@pytest.fixture(scope="session")
def kubectl() -> Kubectl:
    """The cluster of KUBECONFIG, else the local one."""
    if chosen := os.environ.get("KUBECONFIG"):
        program = shutil.which("kubectl")
        assert program, "kubectl is needed in PATH"
        return Kubectl(program, Path(chosen))
    status = subprocess.run(
        ["python3", str(ROOT / "tests/cluster/status.py"), "--json"],
        capture_output=True,
        text=True,
        check=True,
    )
    found = json.loads(status.stdout)
    assert found["running"], "no cluster is up: run `make cluster-up images install`"
    return Kubectl(str(Path(found["bin"], "kubectl")), Path(found["kubeconfig"]))


@pytest.fixture(scope="session")
def raw(kubectl: Kubectl) -> Iterator[RawStore]:
    """The bucket that tests deliver data to."""
    with raw_store(kubectl) as store:
        yield store


@pytest.fixture
def world(kubectl: Kubectl, raw: RawStore, request: pytest.FixtureRequest) -> Iterator[World]:
    """A namespace with the reader's Secret."""
    stem = re.sub(r"[^a-z0-9]+", "-", request.node.name.lower()).strip("-")[:40].strip("-")
    with temporary_namespace(kubectl, f"{stem}-{secrets.token_hex(3)}") as made:
        made.secret(RAW_SECRET, raw.reader)
        yield made


@pytest.fixture(scope="module")
def common(kubectl: Kubectl, raw: RawStore, request: pytest.FixtureRequest) -> Iterator[World]:
    """A namespace for all tests of a module: bad inputs side by side, waited for one by one."""
    stem = request.module.__name__.rpartition(".")[2].replace("_", "-").removeprefix("test-")
    with temporary_namespace(kubectl, f"{stem}-{secrets.token_hex(3)}") as made:
        made.secret(RAW_SECRET, raw.reader)
        yield made
