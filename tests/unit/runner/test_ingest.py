"""What an ingest finds and leaves: types over all rows, one version per content, nothing twice."""

import io
import json
from datetime import UTC, date, datetime
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from tests.unit.runner.workshop import LOGISTIC, PREFIX, Workshop, classification, estimator

from tidemill.store import digests, manifest


def columns(workshop: Workshop, **files: bytes | str) -> dict[str, tuple[str, bool]]:
    workshop.deliver(**files)
    return {c["name"]: (c["type"], c["nullable"]) for c in workshop.ingest()["columns"]}


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        pytest.param(["1", "-2", "007"], ("Integer", False), id="integers"),
        pytest.param(["1", "", "3"], ("Integer", True), id="integers-with-gaps"),
        pytest.param(["1"] * 9000 + ["2.5"], ("Float", False), id="float-in-the-last-row"),
        pytest.param(["1"] * 9000 + ["x"], ("String", False), id="word-in-the-last-row"),
        pytest.param(["1.5", "NaN", "2"], ("Float", True), id="nan-is-missing"),
        pytest.param(["1e5", "-2.5E-3"], ("Float", False), id="exponents"),
        pytest.param([" 1", "2 "], ("Integer", False), id="blanks-around-numbers"),
        pytest.param(["true", "False", "NA"], ("Boolean", True), id="booleans"),
        pytest.param(["true", "1"], ("String", False), id="booleans-and-numbers"),
        pytest.param(["0", "1"], ("Integer", False), id="zero-and-one-stay-numbers"),
        pytest.param(["2020-01-31", "2020-02-01"], ("Date", False), id="dates"),
        pytest.param(["2020-01-31", "2020-02-01 10:00:00"], ("Timestamp", False), id="times"),
        pytest.param(["2020-01-31T10:00:00Z", ""], ("Timestamp", True), id="times-with-zone"),
        pytest.param(["2020-01-31T10:00:00+02:00"], ("Timestamp", False), id="times-with-offset"),
        pytest.param(["0x1F"], ("String", False), id="hexadecimal-is-text"),
        pytest.param(["12,5", "1"], ("String", False), id="decimal-comma-is-text"),
        pytest.param(["NA", "Namibia"], ("String", False), id="na-may-be-a-word"),
        pytest.param(["x", ""], ("String", True), id="empty-text-is-missing"),
        pytest.param(["", "NA"], ("Float", True), id="nothing-at-all"),
        pytest.param(["99999999999999999999", "1"], ("Float", False), id="beyond-64-bits"),
        pytest.param(["ü", "漢"], ("String", False), id="beyond-ascii"),
    ],
)
def test_the_type_is_that_of_all_rows(
    workshop: Workshop, values: list[str], expected: tuple[str, bool]
) -> None:
    text = "k,v\n" + "".join(f'0,"{value}"\n' for value in values)
    assert columns(workshop, data_csv=text)["v"] == expected


@pytest.mark.parametrize(
    ("first", "second", "expected"),
    [
        pytest.param("1", "2.5", ("Float", False), id="integer-then-float"),
        pytest.param("2.5", "1", ("Float", False), id="float-then-integer"),
        pytest.param("", "x", ("String", True), id="nothing-then-text"),
        pytest.param("x", "", ("String", True), id="text-then-nothing"),
        pytest.param("2020-01-01", "2020-01-01 10:00", ("Timestamp", False), id="date-then-time"),
        pytest.param("1", "", ("Integer", True), id="gap-in-the-second-file"),
    ],
)
def test_types_widen_from_file_to_file(
    workshop: Workshop, first: str, second: str, expected: tuple[str, bool]
) -> None:
    found = columns(workshop, a_csv=f"k,v\n0,{first}\n", b_csv=f"v,k\n{second},0\n")
    assert found == {"k": ("Integer", False), "v": expected}


def test_csv_details_are_right(workshop: Workshop) -> None:
    text = '\ufeffa,"b,c"\r\n1,"x\r\ny"\r\n\r\n2,"say ""hi"""\r\n'
    workshop.deliver(data_csv=text)
    result = workshop.ingest()
    assert [c["name"] for c in result["columns"]] == ["a", "b,c"]
    assert result["rows"] == 2


def test_parquet_types(workshop: Workshop) -> None:
    workshop.format = "Parquet"
    moment = datetime(2020, 1, 1, tzinfo=UTC)
    table = pa.table(
        {
            "i": pa.array([1, None], pa.int16()),
            "u": pa.array([1, 2], pa.uint32()),
            "f": pa.array([1.0, float("nan")], pa.float32()),
            "d": pa.array([1, 2], pa.decimal128(9, 2)),
            "b": pa.array([True, None]),
            "s": pa.array(["x", "y"]).dictionary_encode(),
            "day": pa.array([date(2020, 1, 1)] * 2),
            "t": pa.array([moment] * 2, pa.timestamp("ns", tz="UTC")),
            "l": pa.array([[1], [2]]),
        }
    )
    buffer = io.BytesIO()
    pq.write_table(table, buffer)
    assert columns(workshop, a_parquet=buffer.getvalue()) == {
        "i": ("Integer", True),
        "u": ("Integer", False),
        "f": ("Float", True),
        "d": ("Float", False),
        "b": ("Boolean", True),
        "s": ("String", False),
        "day": ("Date", False),
        "t": ("Timestamp", False),
        "l": ("Other", False),
    }


def test_an_empty_part_among_parquet_files_is_taken(workshop: Workshop) -> None:
    workshop.format = "Parquet"
    for name, values in (("a_parquet", [1]), ("b_parquet", [])):
        buffer = io.BytesIO()
        pq.write_table(pa.table({"a": pa.array(values, pa.int64())}), buffer)
        workshop.deliver(**{name: buffer.getvalue()})
    assert workshop.ingest()["rows"] == 1


def test_the_version_is_the_digest_of_the_content(workshop: Workshop) -> None:
    workshop.deliver(a_csv="a\n1\n", b_csv="a\n2\n")
    result = workshop.ingest()
    stored = manifest.parse(workshop.store.objects[result["manifest"]], result["version"])
    assert [(e.key, e.size) for e in stored.entries] == [("a.csv", 4), ("b.csv", 4)]
    for entry, data in zip(stored.entries, (b"a\n1\n", b"a\n2\n"), strict=True):
        assert entry.digest == digests.sha256_digest(data)
        key = f"cas/ns/sha256/{digests.hex_of(entry.digest)}"
        assert workshop.store.objects[key] == data
    assert result["bytes"] == 8
    assert (result["objects"], result["rows"]) == (2, 2)
    schema = workshop.store.objects[f"cas/ns/sha256/{digests.hex_of(result['schema'])}"]
    assert json.loads(schema)["columns"] == result["columns"]


def test_the_same_bytes_are_the_same_version_and_are_copied_once(workshop: Workshop) -> None:
    workshop.deliver(a_csv="a\n1\n")
    first = workshop.ingest()
    kept = {**workshop.store.objects}
    workshop.store.written.clear()
    assert workshop.ingest() == first
    assert workshop.store.objects == kept
    assert not any(key.startswith("cas/") for key in workshop.store.written)


def test_a_copy_cut_short_is_made_again(workshop: Workshop) -> None:
    workshop.deliver(a_csv="a\n1\n")
    digest = digests.hex_of(digests.sha256_digest(b"a\n1\n"))
    workshop.store.objects[f"cas/ns/sha256/{digest}"] = b"a\n"
    workshop.ingest()
    assert workshop.store.objects[f"cas/ns/sha256/{digest}"] == b"a\n1\n"


@pytest.mark.parametrize("hidden", ["_SUCCESS", ".part.csv", "_temporary/0/part.csv", "folder/"])
def test_markers_are_not_data(workshop: Workshop, hidden: str) -> None:
    workshop.deliver(a_csv="a\n1\n")
    workshop.source.objects[PREFIX + hidden] = b"" if hidden.endswith("/") else b"zzz"
    assert workshop.ingest()["objects"] == 1


def test_scratch_space_is_left_clean(workshop: Workshop) -> None:
    workshop.deliver(a_csv="a\n1\n", b_csv="a\n2\n")
    workshop.ingest()
    assert [path.name for path in workshop.folder.iterdir()] == ["input.json"]


def test_rows_are_read_back_as_they_were_inferred(workshop: Workshop) -> None:
    lines = ["a,s,y"] + [f"{i if i % 3 else ''},w{i % 2},{i % 2}" for i in range(60)]
    workshop.deliver(a_csv="\n".join(lines) + "\n")
    ingested = workshop.ingest()
    encoder = (
        "sklearn.preprocessing.OrdinalEncoder",
        {"handle_unknown": "use_encoded_value", "unknown_value": -1},
    )
    steps: list[Any] = [encoder, "sklearn.impute.SimpleImputer"]
    spec = classification(estimator=estimator(*steps, LOGISTIC))
    assert workshop.train(ingested, spec)["rows"] == {"train": 42, "holdout": 18}


def test_only_what_is_included_is_versioned(workshop: Workshop) -> None:
    workshop.options = {"include": ["*.csv"]}
    workshop.deliver(a_csv="a\n1\n", notes_txt="no data")
    result = workshop.ingest()
    stored = manifest.parse(workshop.store.objects[result["manifest"]], result["version"])
    assert [entry.key for entry in stored.entries] == ["a.csv"]


def test_a_training_reads_with_the_dialect_of_the_version(workshop: Workshop) -> None:
    lines = ["a;y"] + [f"{i},5;{i % 2}" for i in range(60)]
    workshop.options = {"csv": {"decimal": ","}}
    workshop.deliver(a_csv="\n".join(lines) + "\n")
    ingested = workshop.ingest()
    assert ingested["columns"][0] == {"name": "a", "type": "Float", "nullable": False}
    workshop.options = {}
    assert workshop.train(ingested, classification())["rows"] == {"train": 42, "holdout": 18}
