"""JSON lines: types over all rows, absent keys, and lines that cannot be read."""

import json
import math
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.runner.files.rows import columns, merged, one, read_back, refused
from tests.unit.runner.workshop import Workshop, classification

from tidemill_runner import tables
from tidemill_runner.failures import Failure
from tidemill_runner.files import json_lines
from tidemill_runner.files.delivery import Delivery

JSON = Delivery("JSONLines")
# 300 of them are more than one block.
LONG_LINE = '{"a": "' + "x" * 10_000 + '"}\n'
NOON = datetime(2024, 1, 1, 12, tzinfo=UTC)


def lines(*values: Any) -> str:
    """One column `v`, one value a line."""
    return "".join(json.dumps({"v": value}) + "\n" for value in values)


@pytest.mark.parametrize(
    ("data", "kind", "values"),
    [
        pytest.param(lines(1, -2), ("Integer", False), [1, -2], id="integers"),
        pytest.param(lines(1, 2.5), ("Float", False), [1.0, 2.5], id="numbers"),
        pytest.param(lines(1, None), ("Integer", True), [1, None], id="null"),
        pytest.param(lines(1, math.nan), ("Integer", True), [1, None], id="NaN is missing"),
        pytest.param(lines(math.inf, 1), ("Float", False), [math.inf, 1.0], id="infinity"),
        pytest.param(lines(2**63, 1), ("Float", False), [2.0**63, 1.0], id="beyond 64 bits"),
        pytest.param(lines(True, False), ("Boolean", False), [True, False], id="booleans"),
        pytest.param(lines("", "NA"), ("String", False), ["", "NA"], id="texts are not missing"),
        pytest.param(lines("1", "2"), ("String", False), ["1", "2"], id="digits in a text"),
        pytest.param(lines("2024-01-01"), ("Date", False), [date(2024, 1, 1)], id="date"),
        pytest.param(
            lines("2024-01-01T13:00:00+01:00", "2024-01-01T12:00Z"),
            ("Timestamp", False),
            [NOON, NOON],
            id="times with a zone",
        ),
        pytest.param(lines("2024-01-01 12:00"), ("Timestamp", False), [NOON], id="time"),
        pytest.param(lines("2024-01-01", "x"), ("String", False), ["2024-01-01", "x"], id="text"),
        pytest.param(lines(1, "x", True), ("String", False), ["1", "x", "true"], id="mixed types"),
        pytest.param(lines(10**400, 1), ("String", False), [str(10**400), "1"], id="no number"),
        pytest.param(lines(None, None), ("Float", True), [None, None], id="nothing at all"),
        pytest.param(lines("\u0000"), ("String", False), ["\u0000"], id="NUL escaped"),
        pytest.param(lines("😀"), ("String", False), ["😀"], id="two escapes that make one sign"),
    ],
)
def test_types_are_those_of_all_values(
    tmp_path: Path, data: str, kind: tuple[str, bool], values: list[Any]
) -> None:
    assert one(tmp_path, data, JSON) == ({"v": kind}, {"v": values})


def test_an_absent_key_is_a_missing_value(tmp_path: Path) -> None:
    data = '{"a": 1}\r\n\r\n{"c": "x", "a": 2}\r\n{"b": true}'
    assert one(tmp_path, data, JSON) == (
        {"a": ("Integer", True), "c": ("String", True), "b": ("Boolean", True)},
        {"a": [1, 2, None], "c": [None, "x", None], "b": [None, None, True]},
    )


def test_a_key_that_comes_in_a_later_block_is_missing_before(tmp_path: Path) -> None:
    data = LONG_LINE * 300 + '{"a": "x", "b": 2}\n'
    assert one(tmp_path, data, JSON)[0] == {"a": ("String", False), "b": ("Integer", True)}


def test_a_key_may_be_absent_in_a_whole_file(tmp_path: Path) -> None:
    files = {"one": b'{"a": 1}\n', "two": b'{"b": 2.5, "a": 2}\n', "three": b'{"b": 1}\n'}
    assert columns(merged(tmp_path, files, JSON)) == {"a": ("Integer", True), "b": ("Float", True)}
    assert read_back(tmp_path, files, JSON) == {"a": [1, 2, None], "b": [None, 2.5, 1.0]}


def test_files_without_a_key_in_common_are_refused(tmp_path: Path) -> None:
    with pytest.raises(Failure) as caught:
        merged(tmp_path, {"one": b'{"a": 1}\n', "two": b'{"b": 1}\n'}, JSON)
    assert caught.value.reason == "SchemasDiffer"
    assert "two has no column in common" in caught.value.message


def test_objects_and_arrays_are_other_and_read_as_json(tmp_path: Path) -> None:
    data = '{"a": 1, "o": {"ü": [1]}}\n{"a": 2, "o": [1, null]}\n{"a": 3, "o": "x"}\n'
    found, rows = one(tmp_path, data, JSON)
    assert found == {"a": ("Integer", False), "o": ("Other", False)}
    assert rows == {"a": [1, 2, 3]}, "left out of normalised rows"
    schema = merged(tmp_path, {"data": data.encode()}, JSON)
    (batch,) = tables.read(tmp_path / "0", "data", schema, ["o"], "JSONLines")
    assert batch.column("o").to_pylist() == ['{"ü": [1]}', "[1, null]", '"x"']


def test_other_columns_are_refused_as_features_with_the_way_out(workshop: Workshop) -> None:
    workshop.format = "JSONLines"
    data = "".join(f'{{"x": {i}, "o": [], "y": {i % 2}}}\n' for i in range(60))
    workshop.deliver(data_jsonl=data)
    ingested = workshop.ingest()
    with pytest.raises(Failure) as caught:
        workshop.train(ingested, classification())
    assert "'o' (Other): add them to spec.features.exclude" in caught.value.message
    rows = workshop.train(ingested, classification(features={"exclude": ["o"]}))["rows"]
    assert rows == {"train": 42, "holdout": 18}


@pytest.mark.parametrize(
    ("data", "reason", "words"),
    [
        pytest.param('{"a": 1}\n{"a": \n', "MalformedFile", ["line 2"], id="broken line"),
        pytest.param(
            LONG_LINE * 300 + '{"a": 1}}\n',
            "MalformedFile",
            ["line 301"],
            id="broken line far behind",
        ),
        pytest.param('{"a": 1}\n\n{"a": 1', "MalformedFile", ["line 3"], id="cut short"),
        pytest.param("{'a': 1}\n", "MalformedFile", ["line 1", "character 2"], id="apostrophes"),
        pytest.param("a,b\n1,2\n", "MalformedFile", ["line 1"], id="CSV"),
        pytest.param('[{"a": 1}]', "MalformedFile", ["array", "one object a line"], id="array"),
        pytest.param('{"a": 1}\n[1]\n', "MalformedFile", ["line 2", "no object"], id="no object"),
        pytest.param('{"a": 1, "a": 2}', "DuplicateColumns", ["line 1", "'a'"], id="key twice"),
        pytest.param('{"a": {"b": 1, "b": 1}}', "DuplicateColumns", ["'b'"], id="key twice inside"),
        pytest.param('{"a": 1, "": 2}', "MalformedFile", ["column 2", "no name"], id="empty key"),
        pytest.param("{}\n{}\n", "MalformedFile", ["no columns"], id="no keys"),
        pytest.param("\n\n", "NoRows", ["no line"], id="0 rows"),
        pytest.param(b'{"a": "\xfc"}', "WrongEncoding", ["line 1", "0xfc"], id="wrong encoding"),
        pytest.param('{"a": "\\ud800"}', "MalformedFile", ["line 1"], id="half a pair"),
        pytest.param('{"\\uD800": 1}', "MalformedFile", ["line 1"], id="half a pair as a key"),
        pytest.param('{"a": ' + "[" * 100_000, "MalformedFile", ["nested"], id="nested deeply"),
        pytest.param('{"a": ' + "9" * 5000 + "}", "MalformedFile", ["number"], id="long number"),
        pytest.param(
            '{"a": "' + "x" * 10_000_000 + '"}', "MalformedFile", ["4 MiB"], id="10 MB field"
        ),
        pytest.param(b'{"a": "\x00"}', "MalformedFile", ["line 1"], id="NUL bytes"),
        pytest.param(b"PAR1\x15\x04", "MalformedFile", ["Parquet"], id="Parquet"),
    ],
)
def test_a_file_is_refused(
    tmp_path: Path, data: bytes | str, reason: str, words: list[str]
) -> None:
    failure = refused(tmp_path, data, JSON, key="raw/bad.jsonl")
    assert failure.reason == reason
    for word in words:
        assert word in failure.message


def test_keys_that_are_data_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(json_lines, "MAX_COLUMNS", 100)
    data = "".join(f'{{"user-{i}": 1}}\n' for i in range(101))
    assert "100 different keys" in refused(tmp_path, data, JSON).message


def test_no_message_shows_a_value(tmp_path: Path) -> None:
    for data in ('{"a": "hush', '{"a": hush}', '{"a": "hush", "a": "hush"}', '["hush"]', '"hush"'):
        assert "hush" not in refused(tmp_path, data, JSON).message


SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**70), 2**70),
    st.floats(allow_nan=False),
    st.text(st.characters(codec="utf-8")),
)


@given(values=st.lists(SCALARS, min_size=1))
def test_every_value_that_is_taken_is_read_back(
    tmp_path_factory: pytest.TempPathFactory, values: list[Any]
) -> None:
    folder = tmp_path_factory.mktemp("values")
    found, rows = one(folder, lines(*values), JSON)
    kind, nullable = found["v"]
    assert nullable == (None in values)
    assert [value is None for value in rows["v"]] == [value is None for value in values]
    if kind == "Integer" or {type(v) for v in values} == {float}:
        assert rows["v"] == values
