"""Serving a list of namespaces needs Roles there and nothing else in the cluster."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.apiserver.kubectl import Kubectl, RefusedError
from tests.e2e import specs
from tests.e2e.prediction import infer
from tests.e2e.raw_store import RawStore
from tests.e2e.test_path import rows
from tests.e2e.world import World, temporary_namespace

pytestmark = pytest.mark.disruptive

ROOT = Path(__file__).resolve().parents[2]
OPERATOR = "system:serviceaccount:tidemill-system:tidemill-operator"


def install(kubectl: Kubectl, *flags: str) -> None:
    command = [sys.executable, "manifests/install.py", "--minio", "--kubectl", kubectl.program]
    command += ["--kubeconfig", str(kubectl.kubeconfig), *flags]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True, timeout=200)


@pytest.fixture
def listed(world: World) -> Iterator[World]:
    """The test's namespace is the only one served."""
    install(world.kubectl, "--namespaces", world.namespace)
    try:
        yield world
    finally:
        install(world.kubectl)


def test_only_the_namespaces_listed_are_served(listed: World, raw: RawStore) -> None:
    raw.put(f"{listed.namespace}/one.csv", rows(60))
    spec = specs.dataset(f"{listed.namespace}/")
    with temporary_namespace(listed.kubectl, f"{listed.namespace}-not") as other:
        other.apply("Dataset", "data", spec)
        listed.apply("Dataset", "data", spec)
        listed.apply("TrainingRun", "run", specs.training_run("data"))
        listed.apply("ModelDeployment", "web", specs.model_deployment("run"))
        listed.wait_ready("ModelDeployment", "web")
        assert infer(listed, "web", "web", {"a": [1], "b": [0.0]})["predict"] == ["down"]
        untouched = other.get("Dataset", "data")
        assert untouched is not None
        assert "status" not in untouched
        for verb, thing in (("list", "datasets.tidemill.dev"), ("get", "secrets")):
            assert may(listed.kubectl, verb, thing, listed.namespace)
            assert not may(listed.kubectl, verb, thing, other.namespace)
        assert not may(listed.kubectl, "list", "namespaces", "default")


def may(kubectl: Kubectl, verb: str, thing: str, namespace: str) -> bool:
    try:
        kubectl("auth", "can-i", verb, thing, "-n", namespace, "--as", OPERATOR)
    except RefusedError:
        return False
    return True
