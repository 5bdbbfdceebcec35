"""Which cluster and which registry the commands use."""

from pathlib import Path

import pytest
from images.imagebuild.failure import BuildError
from images.imagebuild.target import find, kind_of


def test_the_present_context_with_a_named_registry(tmp_path: Path) -> None:
    config = tmp_path / "config"
    config.touch()
    environment = {"CLUSTER": "current", "REGISTRY": "r.example/t", "KUBECONFIG": str(config)}
    target = find(environment)
    assert (target.kind, target.kubeconfig, target.running) == ("current", config, True)
    assert target.require_registry() == "r.example/t"


def test_the_present_context_needs_a_registry(tmp_path: Path) -> None:
    with pytest.raises(BuildError, match="set REGISTRY="):
        find({"CLUSTER": "current", "HOME": str(tmp_path)}).require_registry()


def test_an_unknown_cluster_is_refused() -> None:
    with pytest.raises(BuildError, match="CLUSTER=k3d is unknown; it can be local, current, kind"):
        kind_of({"CLUSTER": "k3d"})


def test_the_local_cluster_is_the_default() -> None:
    assert kind_of({}) == "local"
