"""Files on a volume: read once, read anew when that is asked for, and what is said of a claim."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.e2e.node_address import node_address
from tests.e2e.refusals import assert_refused
from tests.e2e.test_path import rows
from tests.e2e.world import World, settled

CLAIM = "deliveries"
FOLDER = "power/2026"
REQUESTED = "tidemill.dev/reconcile-requested-at"


@pytest.fixture
def volume(world: World, tmp_path: Path) -> Iterator[Path]:
    """Give a folder that pods have as a volume: one of this machine, where it is a node."""
    node_address(world.kubectl)
    folder = tmp_path / "volume"
    (folder / FOLDER).mkdir(parents=True)
    for part in (folder, folder / "power", folder / FOLDER):
        part.chmod(0o755)
    try:
        yield folder
    finally:
        world.delete("dataset", "files")
        world.delete("pvc", CLAIM, "--wait=false")
        world.delete("pv", world.namespace, "--wait=false")


def put(volume: Path, name: str, text: str, *, mode: int = 0o644) -> Path:
    path = volume / FOLDER / name
    path.write_text(text)
    path.chmod(mode)
    return path


def offer(world: World, volume: Path) -> None:
    """Offer the folder as a volume for the claim, and for no other."""
    spec = {
        **size("capacity", {"storage": "1Gi"}),
        "claimRef": {"namespace": world.namespace, "name": CLAIM},
        "persistentVolumeReclaimPolicy": "Retain",
        "hostPath": {"path": str(volume), "type": "Directory"},
    }
    metadata = {"name": world.namespace, "labels": {"tidemill.dev/e2e": "true"}}
    world.kubectl.apply(
        {"apiVersion": "v1", "kind": "PersistentVolume", "metadata": metadata, "spec": spec}
    )


def claim(world: World) -> None:
    metadata = {"name": CLAIM, "namespace": world.namespace}
    spec = {
        **size("resources", {"requests": {"storage": "1Gi"}}),
        "volumeName": world.namespace,
    }
    world.kubectl.apply(
        {"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": metadata, "spec": spec}
    )


def size(field: str, amount: dict[str, Any]) -> dict[str, Any]:
    return {"storageClassName": "", "accessModes": ["ReadWriteMany"], field: amount}


def dataset(**changes: Any) -> dict[str, Any]:
    pvc = {"claimName": CLAIM, "path": FOLDER, "format": "CSV", **changes}
    return {"source": {"pvc": pvc}, "refresh": {"settlePeriod": "1s"}}


def test_a_changed_file_is_read_when_that_is_asked_for(world: World, volume: Path) -> None:
    offer(world, volume)
    claim(world)
    put(volume, "one.csv", rows(40))
    put(volume, "_SUCCESS", "")
    world.apply("Dataset", "files", dataset())
    first = world.wait_ready("Dataset", "files")["status"]
    assert (first["rows"], first["objects"], first["source"]["objects"]) == (40, 1, 0)

    put(volume, "two.csv", rows(60))
    world.patch("Dataset", "files", {"metadata": {"annotations": {REQUESTED: "one"}}})
    again = world.wait(
        "Dataset", "files", lambda b: settled(b) and b["status"]["version"] != first["version"]
    )["status"]
    assert (again["rows"], again["versions"][0]["why"]) == (100, "Requested")

    # What is as it was is the version that there was.
    (volume / FOLDER / "two.csv").unlink()
    world.patch("Dataset", "files", {"metadata": {"annotations": {REQUESTED: "two"}}})
    world.wait(
        "Dataset", "files", lambda b: settled(b) and b["status"]["version"] == first["version"]
    )


def test_a_claim_that_is_missing_or_without_a_volume_heals_when_it_comes(
    world: World, volume: Path
) -> None:
    put(volume, "one.csv", rows(40))
    world.apply("Dataset", "files", dataset())
    tells = ("spec.source.pvc.claimName", CLAIM, world.namespace, "create it")
    body = assert_refused(world, "Dataset", "files", "SourceMissing", tells)
    assert "version" not in body["status"]
    assert world.list("jobs") == []

    claim(world)
    tells = ("PersistentVolumeClaim", "must be bound", "kubectl get pvc")
    assert_refused(world, "Dataset", "files", "Unschedulable", tells)
    offer(world, volume)
    assert world.wait_ready("Dataset", "files")["status"]["rows"] == 40


def test_a_file_that_the_pod_may_not_read_is_named_and_read_once_it_may(
    world: World, volume: Path
) -> None:
    offer(world, volume)
    claim(world)
    shut = put(volume, "one.csv", rows(40), mode=0o600)
    world.apply("Dataset", "files", dataset())
    tells = (f"{FOLDER}/one.csv", CLAIM, "user 65532", "chmod")
    assert_refused(world, "Dataset", "files", "AccessDenied", tells)
    shut.chmod(0o644)
    assert world.wait_ready("Dataset", "files")["status"]["rows"] == 40


def test_a_link_leads_nowhere(world: World, volume: Path) -> None:
    offer(world, volume)
    claim(world)
    put(volume, "one.csv", rows(40))
    (volume / FOLDER / "two.csv").symlink_to("/etc/passwd")
    world.apply("Dataset", "files", dataset())
    tells = (f"{FOLDER}/two.csv", "symbolic link", "spec.source.pvc.include")
    assert_refused(world, "Dataset", "files", "MalformedFile", tells)
    world.apply("Dataset", "files", dataset(include=["one.*"]))
    assert world.wait_ready("Dataset", "files")["status"]["rows"] == 40
