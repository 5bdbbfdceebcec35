"""A container between the halves of an ingest: what it is given, what is made of what it wrote."""

import csv
import json
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
from tests.unit.runner.workshop import CONTAINER, Workshop

from tidemill.store import manifest
from tidemill_runner import halves
from tidemill_runner.failures import Failure
from tidemill_runner.prepare import FILE
from tidemill_runner.written import Written

ROWS = "a,s\n1,x\n2,\n3,z\n"
NOBODY = 65534
User = Callable[[Path, Path], None]


def copy(source: Path, target: Path) -> None:
    """Give the rows back as they came."""
    for path in sorted((source / "source").iterdir()):
        shutil.copy(path, target / path.name)


def doubled(source: Path, target: Path) -> None:
    """Do as `SELECT a * 2 AS b, s FROM source WHERE a > 1` does."""
    rows = pq.read_table(source / "source")
    kept = rows.filter(pc.greater(rows["a"], 1))
    made = pa.table({"b": pc.multiply(kept["a"], 2), "s": kept["s"]})
    pq.write_table(made, target / FILE)  # as the other file is called, for the places' sake


def write(text: str, name: str = "made.csv") -> User:
    def user(_: Path, target: Path) -> None:
        path = target / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)

    return user


def read(workshop: Workshop, result: dict[str, Any]) -> manifest.Manifest:
    return manifest.parse(workshop.store.objects[result["manifest"]], result["version"])


def refused(workshop: Workshop, user: User, **container: Any) -> Failure:
    workshop.deliver(a_csv=ROWS)
    with pytest.raises(Failure) as caught:
        workshop.ingest_around(user, container)
    assert not [key for key in workshop.store.objects if key.startswith("datasets/")]
    return caught.value


def test_it_is_given_typed_rows_and_what_they_are(workshop: Workshop) -> None:
    workshop.deliver(a_csv=ROWS, b_csv="a,s\n4,w\n")
    seen: dict[str, Any] = {}

    def look(source: Path, target: Path) -> None:
        seen["rows"] = pq.read_table(source / "source").to_pydict()
        seen["told"] = json.loads((source / "manifest.json").read_text())
        seen["files"] = sorted(str(p.relative_to(source)) for p in source.rglob("*") if p.is_file())
        copy(source, target)

    workshop.ingest_around(look, {})
    assert seen["rows"] == {"a": [1, 2, 3, 4], "s": ["x", None, "z", "w"]}
    assert seen["files"] == ["manifest.json", "source/00000.parquet"]
    assert seen["told"]["tables"]["source"] == {
        "rows": 4,
        "columns": [
            {"name": "a", "type": "Integer", "nullable": False},
            {"name": "s", "type": "String", "nullable": True},
        ],
        "files": ["source/00000.parquet"],
    }


def test_its_rows_are_what_a_query_would_have_made_of_them(tmp_path: Path) -> None:
    found = []
    for name in ("query", "container"):
        folder = tmp_path / name
        folder.mkdir()
        workshop = Workshop(folder)
        workshop.deliver(a_csv=ROWS)
        if name == "query":
            sql = "SELECT a * 2 AS b, s FROM source WHERE a > 1"
            result = workshop.ingest(prepare={"sql": sql, "seconds": 60})
        else:
            result = workshop.ingest_around(doubled, {})
        [entry] = read(workshop, result).entries
        kept = workshop.store.objects[f"cas/ns/sha256/{entry.digest.removeprefix('sha256:')}"]
        rows = pq.read_table(pa.BufferReader(kept)).to_pydict()
        profile = json.loads(workshop.store.objects[result["profile"]])
        told = {k: result[k] for k in ("columns", "rows", "objects", "from")}
        found.append((rows, profile, {**told, "from": Path(told["from"]).name}))
    assert found[0] == found[1]
    assert found[0][0] == {"b": [4, 6], "s": [None, "z"]}


@pytest.mark.parametrize(
    ("form", "text"),
    [("CSV", 'b,s\n4,\n6,"z,z"\n'), ("JSONLines", '{"b": 4}\n{"b": 6, "s": "z,z"}\n')],
)
def test_it_may_write_text(workshop: Workshop, form: str, text: str) -> None:
    workshop.deliver(a_csv=ROWS)
    result = workshop.ingest_around(write(text, "deep/er/rows.txt"), {"format": form})
    assert [c["type"] for c in result["columns"]] == ["Integer", "String"]
    made = read(workshop, result)
    assert (made.format, [entry.key for entry in made.entries]) == (form, ["deep/er/rows.txt"])


def test_files_are_taken_by_their_paths_and_hidden_ones_not_at_all(workshop: Workshop) -> None:
    workshop.deliver(a_csv=ROWS)

    def user(_: Path, target: Path) -> None:
        for name in ("b.csv", "a.csv", "a/b.csv", ".hidden", "_SUCCESS", "_tmp/x.csv", "a/.x/y"):
            path = target / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text("n\n1\n" if name.endswith("csv") else "no data")

    result = workshop.ingest_around(user, {"format": "CSV"})
    keys = [entry.key for entry in read(workshop, result).entries]
    assert keys == ["a.csv", "a/b.csv", "b.csv"]


def test_the_version_names_what_made_it(workshop: Workshop) -> None:
    workshop.deliver(a_csv=ROWS)
    told = {
        "command": ["python3"],
        "args": ["-c", "pass"],
        "env": [{"name": "B", "value": "2"}, {"name": "A", "value": "1"}],
    }
    result = workshop.ingest_around(copy, told)
    assert read(workshop, result).prepare == {
        "engine": "container",
        "image": CONTAINER["image"],
        "command": ["python3"],
        "args": ["-c", "pass"],
        "env": {"A": "1", "B": "2"},
    }
    assert result["from"] in workshop.store.objects


@pytest.mark.parametrize(
    "other",
    [
        {"image": "registry.example/clean@sha256:" + "d" * 64},
        {"command": ["x"]},
        {"args": ["x"]},
        {"env": [{"name": "A", "value": "1"}]},
    ],
    ids=["image", "command", "args", "env"],
)
def test_the_same_rows_made_by_another_are_another_version(
    workshop: Workshop, other: dict[str, Any]
) -> None:
    workshop.deliver(a_csv=ROWS)
    first = workshop.ingest_around(copy, {})
    assert workshop.ingest_around(copy, {})["version"] == first["version"]
    assert workshop.ingest_around(copy, other)["version"] != first["version"]


def test_inputs_are_folders_beside_the_source(workshop: Workshop) -> None:
    workshop.deliver(a_csv="site,area\nx,10\n")
    sites = workshop.ingest()
    workshop.deliver(a_csv=ROWS)
    version = {"name": "power", "version": sites["version"], "manifest": sites["manifest"]}
    inputs = [{"name": name, "dataset": version} for name in ("sites", "again")]
    prepare = {"sql": "x", "seconds": 1, "inputs": inputs}
    seen: dict[str, Any] = {}

    def user(source: Path, target: Path) -> None:
        for name in ("sites", "again"):
            seen[name] = pq.read_table(source / name).to_pydict()
        seen["told"] = json.loads((source / "manifest.json").read_text())["tables"]["again"]
        copy(source, target)

    result = workshop.ingest_around(user, {}, prepare=prepare)
    assert seen["sites"] == seen["again"] == {"site": ["x"], "area": [10]}
    assert (seen["told"]["rows"], seen["told"]["files"]) == (1, ["again/00000.parquet"])
    header = read(workshop, result).prepare or {}
    assert header["inputs"] == {"sites": sites["version"], "again": sites["version"]}
    assert [one["name"] for one in result["inputs"]] == ["sites", "again"]


def test_places_are_those_of_its_files(workshop: Workshop) -> None:
    workshop.deliver(a_csv=ROWS)
    checks = [{"name": "positive", "expression": "n > 0"}]
    made = write("n\n1\n0\n", "part/one.csv")
    result = workshop.ingest_around(made, {"format": "CSV"}, checks=checks)
    assert result["rejected"]["message"].endswith("at part/one.csv, data row 2")


def test_what_the_spec_declares_holds_for_what_it_made(workshop: Workshop) -> None:
    workshop.deliver(a_csv=ROWS)
    schema = {"columns": [{"name": "n", "type": "Float"}]}
    result = workshop.ingest_around(write("n\n1\n"), {"format": "CSV"}, schema=schema)
    assert result["columns"] == [{"name": "n", "type": "Float", "nullable": False}]


def test_a_second_beginning_in_the_same_pod_begins_anew(workshop: Workshop) -> None:
    workshop.deliver(a_csv=ROWS)
    work = workshop.work()
    for folder in (work.input, work.output, work.state):
        (folder / "left" / "over").mkdir(parents=True)
        (folder / "left" / "over" / "x.parquet").write_text("of a process that was killed")
        (folder / "link").symlink_to("/etc")
    result = workshop.ingest_around(copy, {})
    assert [entry.key for entry in read(workshop, result).entries] == ["00000.parquet"]


def test_a_source_that_changes_while_it_is_read_is_not_handed_on(workshop: Workshop) -> None:
    workshop.deliver(a_csv=ROWS)
    workshop.source.before_download = lambda _: workshop.deliver(b_csv=ROWS)
    with pytest.raises(Failure) as caught:
        workshop.ingest_around(copy, {})
    assert caught.value.reason == "SourceChanged"
    assert not list(workshop.work().state.iterdir())


def links(target: str) -> User:
    return lambda _, folder: (folder / "x.csv").symlink_to(target)


def folder_link(_: Path, target: Path) -> None:
    (target / "deep").symlink_to("/etc")


def pipe(_: Path, target: Path) -> None:
    os.mkfifo(target / "x.csv")


def nothing(_: Path, target: Path) -> None:
    (target / ".log").write_text("only this")


def many(_: Path, target: Path) -> None:
    for number in range(20_000):
        (target / f"{number}.csv").touch()


def many_hidden(_: Path, target: Path) -> None:
    for number in range(20_000):
        (target / f".{number}").touch()


def sparse(_: Path, target: Path) -> None:
    with (target / "x.csv").open("wb") as file:
        file.truncate(1 << 40)


def unnamed(_: Path, target: Path) -> None:
    (target / "\udcff.csv").write_text("n\n1\n")


def two_schemas(_: Path, target: Path) -> None:
    (target / "a.csv").write_text("n\n1\n")
    (target / "b.csv").write_text("m\n1\n")


BAD: dict[str, tuple[User, str, tuple[str, ...]]] = {
    "writes nothing": (nothing, "PrepareFailed", ("no file", "TIDEMILL_OUT")),
    "writes no rows": (write("n\n"), "NoRows", ("made.csv",)),
    "writes an empty file": (write(""), "NoRows", ("made.csv is empty",)),
    "writes another format": (
        lambda _, out: pq.write_table(pa.table({"n": [1]}), out / "x.csv"),
        "MalformedFile",
        ("wrote what is not taken as CSV", "x.csv"),
    ),
    "writes semicolons": (write("n;m\n1;2\n"), "MalformedFile", ("commas", "semicolons")),
    "writes a link to outside": (links("/etc/passwd"), "PrepareFailed", ("x.csv", "symbolic link")),
    "writes a link to nothing": (links("/nowhere"), "PrepareFailed", ("symbolic link",)),
    "writes a folder that is a link": (folder_link, "PrepareFailed", ("deep", "symbolic link")),
    "writes a pipe": (pipe, "PrepareFailed", ("x.csv is a named pipe",)),
    "writes 20 000 files": (many, "PrepareFailed", ("more than 10000 files",)),
    "writes 20 000 hidden files": (many_hidden, "PrepareFailed", ("more than 10000 files",)),
    "writes a file with holes": (sparse, "PrepareFailed", ("more than 20 GiB",)),
    "writes a name that is no text": (unnamed, "PrepareFailed", ("\\xff.csv", "UTF-8")),
    "writes two schemas": (two_schemas, "SchemasDiffer", ("'n' is in a.csv and not in b.csv",)),
    "writes a column of ours": (write("__row\n1\n"), "MalformedFile", ("reserved name",)),
}


@pytest.mark.parametrize("case", BAD)
def test_what_it_wrote_and_cannot_be_taken_is_told_with_the_field(
    workshop: Workshop, case: str
) -> None:
    user, reason, tells = BAD[case]
    failure = refused(workshop, user, format="CSV")
    assert failure.reason == reason
    assert failure.message.startswith("spec.prepare.container")
    for words in tells:
        assert words in failure.message


@pytest.fixture
def shut() -> Iterator[Path]:
    """A folder of somebody else's, seen as nobody."""
    if os.geteuid():
        pytest.skip("needs root, to become somebody else")
    root = Path(tempfile.mkdtemp())
    root.chmod(0o755)
    (root / "deep").mkdir()
    (root / "deep" / "a.csv").write_text("n\n1\n")
    yield root
    os.seteuid(0)
    shutil.rmtree(root)


def take(written: Written) -> None:
    for info in written.objects():
        written.fetch(info, Path("/dev/null"), lambda _: None)


@pytest.mark.parametrize("closed", ["deep", "deep/a.csv"], ids=["a folder", "a file"])
def test_what_it_left_closed_is_named(shut: Path, closed: str) -> None:
    (shut / closed).chmod(0)
    os.seteuid(NOBODY)
    with pytest.raises(Failure) as caught:
        take(Written(shut, "CSV"))
    assert caught.value.reason == "PrepareFailed"
    assert f"{closed} may not be read" in caught.value.message


def test_text_where_parquet_is_wanted_is_told_by_its_format(workshop: Workshop) -> None:
    failure = refused(workshop, write("n\n1\n", "x.parquet"))
    assert failure.reason == "MalformedFile"
    assert "wrote what is not taken as Parquet: x.parquet" in failure.message


def test_no_value_is_told_of_what_cannot_be_taken(workshop: Workshop) -> None:
    failure = refused(workshop, write("n,secret\n1,hunter2,3\n"), format="CSV")
    assert failure.reason == "RaggedRows"
    assert "hunter2" not in failure.message


def test_no_value_of_a_sensitive_column_is_told_of_what_fails(workshop: Workshop) -> None:
    workshop.deliver(a_csv=ROWS)
    schema = {"columns": [{"name": "who", "sensitive": True, "unique": True}]}
    made = write("who,n\nhunter2,1\nhunter2,2\n")
    result = workshop.ingest_around(made, {"format": "CSV"}, schema=schema)
    assert result["rejected"]["reason"] == "ChecksFailed"
    kept = {k: v for k, v in workshop.store.objects.items() if not k.startswith("cas/")}
    assert "hunter2" not in json.dumps(result)
    assert not [key for key, data in kept.items() if b"hunter2" in data]


def test_without_word_from_the_first_half_nothing_is_concluded(workshop: Workshop) -> None:
    workshop.deliver(a_csv=ROWS)
    document, _ = workshop._asked(None, {})
    with pytest.raises(Failure, match=r"asks for no spec\.prepare\.container"):
        halves.conclude(workshop._place(document), workshop.work())


def test_the_raw_data_is_left_where_it_lies_where_that_is_asked_for(workshop: Workshop) -> None:
    workshop.deliver(a_csv=ROWS)
    result = workshop.ingest_around(copy, {}, copies=False)
    kept = [key for key in workshop.store.objects if key.startswith("cas/")]
    data = [key for key in kept if b"PAR1" in workshop.store.objects[key][:4]]
    assert len(data) == 1
    assert not [key for key in kept if workshop.store.objects[key] == ROWS.encode()]
    delivered = manifest.parse(workshop.store.objects[result["from"]])
    assert delivered.place is not None


def test_rows_are_read_by_any_reader(workshop: Workshop) -> None:
    """No compression or type that only new readers know."""
    workshop.deliver(a_csv=ROWS)

    def user(source: Path, target: Path) -> None:
        [path] = (source / "source").iterdir()
        file = pq.ParquetFile(path)
        assert file.metadata.row_group(0).column(0).compression == "SNAPPY"
        rows = file.read().to_pylist()
        with (target / "made.csv").open("w", newline="") as out:
            writer = csv.DictWriter(out, ["a", "s"])
            writer.writeheader()
            writer.writerows(rows)

    assert workshop.ingest_around(user, {"format": "CSV"})["rows"] == 3
