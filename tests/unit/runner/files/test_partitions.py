"""Folders as columns: typed over all objects, behind the files' own."""

from datetime import date
from pathlib import Path
from typing import Any

import pytest
from tests.unit.runner.files.rows import columns, merged, read_back
from tests.unit.runner.workshop import Workshop, classification, rows

from tidemill_runner import tables
from tidemill_runner.failures import Failure
from tidemill_runner.files.delivery import Delivery
from tidemill_runner.schema import parse

HIVE = Delivery("CSV", hive=True)


def at(*folders: str) -> dict[str, bytes]:
    """A file with one row in each folder."""
    return {f"{folder}/{i}.csv": b"a\n%d\n" % i for i, folder in enumerate(folders)}


@pytest.mark.parametrize(
    ("texts", "kind", "values"),
    [
        pytest.param(["1", "02"], ("Integer", False), [1, 2], id="integers"),
        pytest.param(["1", "2.5"], ("Float", False), [1.0, 2.5], id="numbers"),
        pytest.param(["1", "x"], ("String", False), ["1", "x"], id="texts"),
        pytest.param(["true", "1"], ("String", False), ["true", "1"], id="no common type"),
        pytest.param(
            ["2024-01-01", "2024-01-02"],
            ("Date", False),
            [date(2024, 1, 1), date(2024, 1, 2)],
            id="dates",
        ),
        pytest.param(["NA", "DE"], ("String", False), ["NA", "DE"], id="NA is a country"),
        pytest.param(["1", "__HIVE_DEFAULT_PARTITION__"], ("Integer", True), [1, None], id="none"),
        pytest.param(
            ["__HIVE_DEFAULT_PARTITION__", "x"], ("String", True), [None, "x"], id="none first"
        ),
        pytest.param(
            ["a%2Fb%3D", "%C3%BC c"], ("String", False), ["a/b=", "ü c"], id="percent-encoded"
        ),
        pytest.param(["a=b", "c"], ("String", False), ["a=b", "c"], id="sign within"),
    ],
)
def test_values_are_typed_over_all_objects(
    tmp_path: Path, texts: list[str], kind: tuple[str, bool], values: list[Any]
) -> None:
    files = at(*(f"k={text}" for text in texts))
    assert columns(merged(tmp_path, files, HIVE)) == {"a": ("Integer", False), "k": kind}
    assert read_back(tmp_path, files, HIVE) == {"a": [0, 1], "k": values}


def test_several_folders_are_several_columns(tmp_path: Path) -> None:
    files = at("x/year=2024/month=01", "y/year=2025/z/month=12")
    assert read_back(tmp_path, files, HIVE) == {"a": [0, 1], "year": [2024, 2025], "month": [1, 12]}
    schema = merged(tmp_path, files, HIVE)
    assert schema.partitions == ("year", "month")
    assert parse(schema.to_bytes()) == schema


def test_folders_of_the_prefix_are_no_columns(tmp_path: Path) -> None:
    path = tmp_path / "object"
    path.write_bytes(b"a\n1\n")
    delivery = Delivery("CSV", prefix="raw/v=1/", hive=True)
    found, _ = tables.inspect(path, "raw/v=1/k=2/a.csv", delivery)
    assert found.schema.names() == ["a", "k"]


def test_columns_are_read_in_the_order_that_is_asked_for(tmp_path: Path) -> None:
    schema = merged(tmp_path, at("k=1/l=x"), HIVE)
    for names in (["l", "a", "k"], ["k"], ["a"]):
        (batch,) = tables.read(tmp_path / "0", "k=1/l=x/0.csv", schema, names, "CSV")
        assert batch.schema.names == names
        assert batch.num_rows == 1


def test_json_lines_have_their_folders_last(tmp_path: Path) -> None:
    files = {"k=1/a": b'{"a": 1}\n', "k=2/b": b'{"a": 2, "b": 3}\n'}
    delivery = Delivery("JSONLines", hive=True)
    assert merged(tmp_path, files, delivery).names() == ["a", "b", "k"]
    assert read_back(tmp_path, files, delivery) == {"a": [1, 2], "b": [None, 3], "k": [1, 2]}


@pytest.mark.parametrize(
    ("files", "reason", "words"),
    [
        pytest.param(at("k=1", "l=1"), "SchemasDiffer", ["'k'", "l=1/1.csv"], id="another key"),
        pytest.param(at("k=1/l=1", "k=1"), "SchemasDiffer", ["'l'"], id="a key less"),
        pytest.param(at("k=1", "x"), "SchemasDiffer", ["x/1.csv", "key=value"], id="no key"),
        pytest.param(at("a=1"), "DuplicateColumns", ["'a'", "folder"], id="a column of the file"),
        pytest.param(at("k=1/k=2"), "DuplicateColumns", ["k="], id="key twice"),
        pytest.param(at("=1"), "MalformedFile", ["no name"], id="empty key"),
        pytest.param(at("k=%FC"), "WrongEncoding", ["UTF-8"], id="not UTF-8"),
    ],
)
def test_folders_are_refused(
    tmp_path: Path, files: dict[str, bytes], reason: str, words: list[str]
) -> None:
    with pytest.raises(Failure) as caught:
        merged(tmp_path, files, HIVE)
    assert caught.value.reason == reason
    for word in words:
        assert word in caught.value.message


def test_a_training_sees_them(workshop: Workshop) -> None:
    workshop.options = {"partitions": "Hive"}
    for site in (1, 2):
        key = f"site={site}/data.csv"
        workshop.source.objects[f"raw/power/{key}"] = rows(30).encode()
    ingested = workshop.ingest()
    assert [c["name"] for c in ingested["columns"]] == ["a", "b", "y", "site"]
    trained = workshop.train(ingested, classification(target="site"))
    assert trained["rows"] == {"train": 42, "holdout": 18}
