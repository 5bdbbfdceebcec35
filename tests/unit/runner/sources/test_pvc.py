"""Files on a volume: which are read, that they are whole, and that they have settled."""

import gzip
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.unit.runner.sources.volume_scene import FOLDER, NOW, OLD, Claim, failure, keys
from tests.unit.runner.workshop import Workshop

from tidemill.store import digests, manifest
from tidemill_runner.exits import Exit
from tidemill_runner.sources import pvc
from tidemill_runner.sources.pvc import PvcOrigin


def fetch(origin: PvcOrigin, path: Path, seen: Callable[[int], None] = lambda _: None) -> str:
    [info] = origin.objects()
    return origin.fetch(info, path, seen)


def ingest(claim: Claim, workshop: Workshop, **changes: Any) -> dict[str, Any]:
    """With the clock of this machine: files are as old as they are."""
    return workshop.ingest_from(claim.document(**changes), "sha256:any", Path("none"))


def entries(workshop: Workshop, result: dict[str, Any]) -> list[manifest.Entry]:
    return list(manifest.parse(workshop.store.objects[result["manifest"]]).entries)


def test_files_are_kept_by_their_paths_and_bytes(claim: Claim, workshop: Workshop) -> None:
    claim.put("b.csv", b"a\n1\n2\n", at=1)
    claim.put("deep/er/a.csv", b"a\n3\n", at=1)
    (claim.root / "beside.csv").write_bytes(b"other\n1\n")
    result = ingest(claim, workshop)
    assert [(e.key, e.digest, e.version) for e in entries(workshop, result)] == [
        ("b.csv", digests.sha256_digest(b"a\n1\n2\n"), None),
        ("deep/er/a.csv", digests.sha256_digest(b"a\n3\n"), None),
    ]
    assert (result["rows"], result["objects"]) == (3, 2)


def test_equal_content_is_one_version_whatever_the_files_are(
    claim: Claim, workshop: Workshop, tmp_path: Path
) -> None:
    claim.put("a.csv", at=1)
    first = ingest(claim, workshop)
    other = Claim(tmp_path / "other", {"claim": "second"})
    other.put("a.csv", at=2)
    assert ingest(other, workshop)["version"] == first["version"]
    other.put("a.csv", b"a\n2\n", at=2)
    assert ingest(other, workshop)["version"] != first["version"]


def test_compressed_files_and_folders_that_are_columns(claim: Claim, workshop: Workshop) -> None:
    for day, value in (("1", b"2.5"), ("2", b"3")):
        claim.put(f"day={day}/x.csv.gz", gzip.compress(b"a\n" + value + b"\n"), at=1)
    claim.put("notes.txt", b"no data", at=1)
    result = ingest(claim, workshop, partitions="Hive", include=["**/*.csv.gz"])
    assert [(c["name"], c["type"]) for c in result["columns"]] == [
        ("a", "Float"),
        ("day", "Integer"),
    ]
    assert result["rows"] == 2


def test_a_folder_that_is_no_column_is_told_with_the_field(
    claim: Claim, workshop: Workshop
) -> None:
    claim.put("plain/x.csv", at=1)
    told = failure(lambda: ingest(claim, workshop, partitions="Hive"))
    assert told.reason == "SchemasDiffer"
    assert "spec.source.pvc.partitions" in told.message
    assert "spec.source.pvc.include" in told.message


def test_a_bad_row_is_told_with_the_path(claim: Claim, workshop: Workshop) -> None:
    claim.put("bad.csv", b"a,b\n1\n", at=1)
    told = failure(lambda: ingest(claim, workshop))
    assert (told.reason, told.message.startswith(f"{FOLDER}/bad.csv")) == ("RaggedRows", True)


@pytest.mark.parametrize(
    ("path", "found"),
    [
        ("", ["power/2026/a.csv", "top.csv"]),
        ("power", ["power/2026/a.csv"]),
        ("power/2026/", ["power/2026/a.csv"]),
        ("_staged", ["_staged/b.csv"]),
    ],
    ids=["the whole volume", "a folder", "a slash at the end", "hidden, but named"],
)
def test_the_path(claim: Claim, path: str, found: list[str]) -> None:
    claim.put("a.csv")
    claim.put("../../top.csv")
    claim.put("../../lost+found/x.csv")
    claim.put("../../_staged/b.csv")
    assert [info.key for info in claim.origin(path=path).objects()] == found


@pytest.mark.parametrize("name", ["_SUCCESS", ".part.csv", "_temporary/0/x.csv", "..data/x.csv"])
def test_hidden_names_are_no_data(claim: Claim, name: str) -> None:
    claim.put("a.csv")
    claim.put("lost+found/b.csv")  # a name like any other below the top
    claim.put(name)
    assert keys(claim.origin()) == ["a.csv", "lost+found/b.csv"]


def test_the_order_is_that_of_the_bytes_of_the_names(claim: Claim) -> None:
    for name in ("b.csv", "a/z.csv", "a-b.csv", "ü.csv", "Z.csv", "a b\n.csv", "a\u2028b.csv"):
        claim.put(name)
    wanted = ["Z.csv", "a b\n.csv", "a-b.csv", "a/z.csv", "a\u2028b.csv", "b.csv", "ü.csv"]
    assert keys(claim.origin()) == wanted


def test_names_with_signs_that_end_lines_are_read_back(claim: Claim, workshop: Workshop) -> None:
    for name in ("a\nb.csv", "a\u2028b.csv", "a\u0085b.csv"):
        claim.put(name, at=1)
    assert len(entries(workshop, ingest(claim, workshop))) == 3


@pytest.mark.parametrize(
    ("delivered", "changes", "tells"),
    [
        ([], {}, ("no file lies under power/2026", "spec.source.pvc")),
        (["_SUCCESS", ".x/a.csv"], {}, ("start with a dot or an underscore",)),
        (["a.txt"], {"include": ["*.csv"]}, ("matches spec.source.pvc.include",)),
        ([], {"path": "power/2027"}, ("there is no folder power/2027 on the volume of claim",)),
    ],
    ids=["empty", "hidden", "not included", "no folder"],
)
def test_nothing_there_is_told_with_the_way_out(
    claim: Claim, delivered: list[str], changes: dict[str, Any], tells: tuple[str, ...]
) -> None:
    for name in delivered:
        claim.put(name)
    told = failure(claim.origin(**changes).objects)
    assert (told.reason, told.exit_code) == ("PrefixEmpty", Exit.DATA)
    for text in (*tells, "deliveries", "tidemill.dev/reconcile-requested-at"):
        assert text in told.message


def rewritten(path: Path) -> None:
    path.write_bytes(b"a\n9\n")


def grown(path: Path) -> None:
    with path.open("ab") as file:
        file.write(b"2\n")
    os.utime(path, (OLD, OLD))


def shortened(path: Path) -> None:
    os.truncate(path, 2)
    os.utime(path, (OLD, OLD))


def replaced(path: Path) -> None:
    other = path.with_name(".new")
    other.write_bytes(b"a\n9\n")
    os.utime(other, (OLD, OLD))
    other.rename(path)


CHANGES = [rewritten, grown, shortened, replaced, Path.unlink]
each_change = pytest.mark.parametrize("change", CHANGES, ids=lambda change: change.__name__)


@each_change
def test_a_file_changed_before_it_is_read_is_not_taken(
    claim: Claim, tmp_path: Path, change: Callable[[Path], None]
) -> None:
    path = claim.put("a.csv")
    origin = claim.origin()
    [info] = origin.objects()
    change(path)
    told = failure(lambda: origin.fetch(info, tmp_path / "copy", lambda _: None))
    assert (told.reason, told.exit_code) == ("SourceChanged", Exit.INFRASTRUCTURE)
    assert f"{FOLDER}/a.csv" in told.message


@each_change
def test_a_file_changed_while_it_is_read_is_not_taken(
    claim: Claim, tmp_path: Path, change: Callable[[Path], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pvc, "BLOCK", 2)
    path = claim.put("a.csv")
    once = iter([change])
    told = failure(
        lambda: fetch(claim.origin(), tmp_path / "copy", lambda _: next(once, str)(path))
    )
    assert (told.reason, f"{FOLDER}/a.csv" in told.message) == ("SourceChanged", True)


@pytest.mark.parametrize(
    ("change", "tells"),
    [
        (lambda folder: replaced(folder / "a.csv"), "a.csv was written or replaced"),
        (lambda folder: (folder / "b.csv").write_bytes(b"a\n1\n"), "b.csv came"),
        (lambda folder: (folder / "a.csv").unlink(), "a.csv was removed"),
        (shutil.rmtree, "was moved or removed"),
    ],
    ids=["replaced", "added", "removed", "all gone"],
)
def test_what_changes_until_the_end_is_not_versioned(
    claim: Claim, change: Callable[[Path], None], tells: str
) -> None:
    claim.put("a.csv")
    origin = claim.origin()
    origin.objects()
    origin.objects()
    change(claim.root / FOLDER)
    told = failure(origin.objects)
    assert (told.reason, tells in told.message) == ("SourceChanged", True)


def test_an_ingest_looks_once_more_at_its_end(claim: Claim, workshop: Workshop) -> None:
    path = claim.put("a.csv", at=1)
    upload = workshop.store.upload

    def meanwhile(file: Path, key: str) -> None:
        upload(file, key)
        replaced(path)

    workshop.store.upload = meanwhile  # type: ignore[method-assign]
    assert failure(lambda: ingest(claim, workshop)).reason == "SourceChanged"
    assert not any("manifests/" in key for key in workshop.store.objects)


@pytest.mark.parametrize(
    ("age", "settle", "waited"),
    [
        (10, 10, []),
        (9, 10, [1]),
        (0, 10, [10]),
        (-2, 10, [12]),
        (-10, 10, []),
        (-1e8, 10, []),
        (0, 0, []),
        (5, 65, [60]),
    ],
    ids=["settled", "young", "new", "ahead", "far ahead", "in years", "no period", "long"],
)
def test_the_newest_file_is_waited_for(
    claim: Claim, age: float, settle: float, waited: list[float]
) -> None:
    claim.put("a.csv")
    claim.put("b.csv", at=NOW - age)
    claim.put("_c.csv", at=NOW)
    assert keys(claim.origin(settleSeconds=settle)) == ["a.csv", "b.csv"]
    assert claim.waited == pytest.approx(waited)


def test_a_file_that_goes_on_being_written_is_refused_for_now(claim: Claim) -> None:
    claim.put("a.csv")
    claim.put("b.csv", at=NOW - 1)
    claim.in_the_wait = lambda: claim.put("b.csv", b"a\n1\n2\n", at=claim.now - 1) and None
    told = failure(claim.origin().objects)
    assert (told.reason, told.exit_code) == ("SourceChanged", Exit.INFRASTRUCTURE)
    assert f"{FOLDER}/b.csv was written less than 10 s ago" in told.message
    assert "spec.refresh.settlePeriod" in told.message
    assert len(claim.waited) == 1


def test_a_long_period_is_not_waited_for_in_the_pod(claim: Claim) -> None:
    claim.put("a.csv", at=NOW - 1)
    told = failure(claim.origin(settleSeconds=3600.0).objects)
    assert (told.reason, claim.waited) == ("SourceChanged", [])


def test_what_comes_in_the_wait_is_read(claim: Claim) -> None:
    claim.put("a.csv", at=NOW)
    claim.in_the_wait = lambda: claim.put("b.csv") and None
    assert keys(claim.origin()) == ["a.csv", "b.csv"]
