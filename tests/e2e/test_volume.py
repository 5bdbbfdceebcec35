"""Files on a volume: read when asked for, by a pod that can write none of them."""

import secrets
import shutil
import socket
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from tests.apiserver.kubectl import Kubectl
from tests.e2e.refusals import assert_refused
from tests.e2e.test_path import rows
from tests.e2e.world import World, settled, summary

CLAIM = "deliveries"


@pytest.fixture
def folder(kubectl: Kubectl) -> Iterator[Path]:
    """Give a folder of the node that is this machine."""
    [node, *_] = kubectl.get("nodes")["items"]
    addresses = {one["type"]: one["address"] for one in node["status"]["addresses"]}
    with closing(socket.socket()) as door:
        try:
            door.bind((addresses["InternalIP"], 0))
        except OSError:
            pytest.skip("this machine is no node of the cluster: pods do not see its files")
    made = Path("/var/tmp", f"tidemill-e2e-{secrets.token_hex(4)}")
    made.mkdir(mode=0o755)
    try:
        yield made
    finally:
        shutil.rmtree(made)


@pytest.fixture
def claimed(world: World, folder: Path) -> Iterator[World]:
    """Give a namespace with a volume on the folder; the claim comes with `claim`."""
    name = f"{world.namespace}-volume"
    volume = {
        "apiVersion": "v1",
        "kind": "PersistentVolume",
        "metadata": {"name": name},
        "spec": {
            "capacity": {"storage": "1Gi"},
            "accessModes": ["ReadWriteOnce"],
            "persistentVolumeReclaimPolicy": "Retain",
            "storageClassName": "",
            "claimRef": {"namespace": world.namespace, "name": CLAIM},
            "hostPath": {"path": str(folder), "type": "Directory"},
        },
    }
    world.apply_list([volume])
    try:
        yield world
    finally:
        world.kubectl("delete", "pv", name, "--wait=false")


def claim(world: World) -> None:
    spec = {
        "accessModes": ["ReadWriteOnce"],
        "storageClassName": "",
        "resources": {"requests": {"storage": "1Gi"}},
        "volumeName": f"{world.namespace}-volume",
    }
    body = {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": {"name": CLAIM, "namespace": world.namespace},
        "spec": spec,
    }
    world.apply_list([body])


def asked(**more: Any) -> dict[str, Any]:
    source = {"pvc": {"claimName": CLAIM, "path": "day", "format": "CSV", **more}}
    return {"source": source, "refresh": {"settlePeriod": "1s"}}


def deliver(folder: Path, name: str, data: str) -> None:
    path = folder / "day" / name
    path.parent.mkdir(exist_ok=True)
    path.write_text(data)
    path.chmod(0o644)


def request(world: World, token: str) -> None:
    notes = {"tidemill.dev/reconcile-requested-at": token}
    world.patch("Dataset", "files", {"metadata": {"annotations": notes}})


def test_files_on_a_volume_become_versions(claimed: World, folder: Path) -> None:
    deliver(folder, "one.csv", rows(40))
    claimed.apply("Dataset", "files", asked())
    assert_refused(claimed, "Dataset", "files", "SourceMissing", (CLAIM, "create it"))
    claim(claimed)
    first = claimed.wait_ready("Dataset", "files")["status"]
    assert (first["rows"], first["objects"]) == (40, 1)

    # Nobody sees into a volume: a change is found when it is asked for.
    deliver(folder, "two.csv", rows(20))
    request(claimed, "one")
    second = claimed.wait(
        "Dataset", "files", lambda b: settled(b) and b["status"]["version"] != first["version"]
    )["status"]
    assert (second["rows"], second["objects"]) == (60, 2)
    assert second["versions"][0]["why"] == "Requested"

    request(claimed, "two")
    again = claimed.wait(
        "Dataset", "files", lambda b: b["status"].get("lastHandledReconcileAt") == "two"
    )
    again = claimed.wait_ready("Dataset", "files")
    assert again["status"]["version"] == second["version"]


def test_what_may_not_be_read_is_named_and_links_lead_nowhere(claimed: World, folder: Path) -> None:
    deliver(folder, "shut.csv", rows(40))
    (folder / "day" / "shut.csv").chmod(0o600)
    (folder / "day" / "link.csv").symlink_to("/etc/tidemill/store/secret-key")
    claim(claimed)
    claimed.apply("Dataset", "files", asked())
    tells = ("day/shut.csv", "65532")
    assert_refused(claimed, "Dataset", "files", "AccessDenied", tells)
    (folder / "day" / "shut.csv").chmod(0o644)
    body = claimed.wait_ready("Dataset", "files")
    assert (body["status"]["rows"], body["status"]["objects"]) == (40, 1)


def test_a_folder_that_is_not_there(claimed: World) -> None:
    claim(claimed)
    claimed.apply("Dataset", "files", asked(path="none"))
    body = assert_refused(claimed, "Dataset", "files", "PrefixEmpty", ("spec.source.pvc.path",))
    assert "none on the volume of the claim deliveries" in summary(body)["message"]
