"""Files on a volume, from the folder where a pod has it mounted into a real store."""

import gzip
import os
from pathlib import Path
from typing import Any

import pytest
from tests.contract.workbench import NAMESPACE, Outcome, Workbench

from tidemill.store import digests, layout, manifest
from tidemill_runner.exits import Exit

FOLDER = "power/2026"
DAYS, ROWS = 40, 50


@pytest.fixture
def volume(tmp_path: Path) -> Path:
    root = tmp_path / "volume"
    for day in range(DAYS):
        lines = "".join(f"{row},{row * day / 4}\n" for row in range(ROWS))
        put(root, f"day={day:02d}/part.csv.gz", gzip.compress(f"a,b\n{lines}".encode(), mtime=0))
    put(root, "_SUCCESS", b"")
    put(root, "../lost+found/x.csv", b"no data")
    return root


def put(root: Path, name: str, data: bytes) -> Path:
    path = root / FOLDER / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    os.utime(path, (1, 1))
    return path


def ingest(workbench: Workbench, root: Path, **changes: Any) -> Outcome:
    source = {
        "kind": "Pvc",
        "claim": "deliveries",
        "root": str(root),
        "path": FOLDER,
        "format": "CSV",
        "include": ["**/*.csv.gz"],
        "partitions": "Hive",
        "settleSeconds": 10.0,
        **changes,
    }
    return workbench.ingest(source=source, fingerprint=digests.sha256_digest(b"claim"))


def test_files_become_a_version_with_their_bytes(workbench: Workbench, volume: Path) -> None:
    outcome = ingest(workbench, volume)
    assert outcome.exit is Exit.OK, outcome.message
    result = outcome.result
    assert (result["rows"], result["objects"]) == (DAYS * ROWS, DAYS)
    types = [(one["name"], one["type"]) for one in result["columns"]]
    assert types == [("a", "Integer"), ("b", "Float"), ("day", "Integer")]
    kept = manifest.parse(workbench.read(result["manifest"]), result["version"])
    for entry in kept.entries:
        stored = workbench.read(layout.cas_key(layout.cas_prefix(NAMESPACE), entry.digest))
        assert stored == (volume / FOLDER / entry.key).read_bytes()
    record = layout.record_key(NAMESPACE, workbench.name, result["version"])
    assert workbench.read(record)


def test_equal_files_are_the_version_there_is_and_others_a_new_one(
    workbench: Workbench, volume: Path, tmp_path: Path
) -> None:
    first = ingest(workbench, volume).result["version"]
    volume = volume.rename(tmp_path / "moved")
    put(volume, "day=00/part.csv.gz", (volume / FOLDER / "day=00/part.csv.gz").read_bytes())
    assert ingest(workbench, volume, claim="other").result["version"] == first
    put(volume, "day=00/part.csv.gz", gzip.compress(b"a,b\n1,2\n", mtime=0))
    assert ingest(workbench, volume).result["version"] != first


def test_what_cannot_be_read_ends_as_the_job_is_told(workbench: Workbench, volume: Path) -> None:
    outcome = ingest(workbench, volume, include=["*.parquet"])
    assert (outcome.exit, outcome.reason) == (Exit.DATA, "PrefixEmpty")

    (volume / FOLDER / "latest.csv.gz").symlink_to("day=00/part.csv.gz")
    outcome = ingest(workbench, volume)
    assert (outcome.exit, outcome.reason) == (Exit.DATA, "MalformedFile")
    assert "latest.csv.gz" in outcome.message
    (volume / FOLDER / "latest.csv.gz").unlink()

    (volume / FOLDER / "day=00/part.csv.gz").touch()
    outcome = ingest(workbench, volume, settleSeconds=3600.0)
    assert (outcome.exit, outcome.reason) == (Exit.INFRASTRUCTURE, "SourceChanged")
    assert outcome.message.startswith(f"{FOLDER}/day=00/part.csv.gz was written less than 3600 s")
    assert ingest(workbench, volume, settleSeconds=0.0).exit is Exit.OK
