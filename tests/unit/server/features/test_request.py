"""A request that leaves features out: what may be sent, by which key, and what is refused."""

from datetime import UTC, date, datetime, timedelta, timezone
from typing import Any

import numpy as np
import pytest
from tests.unit.server.features.table import INPUTS, lineage, reader, signature, tables

from tidemill_server.features.keys import key_values
from tidemill_server.features.request import Asked, RequestReader
from tidemill_server.features.tables import KeyColumn, parse_tables
from tidemill_server.protocol.errors import ProtocolError
from tidemill_server.protocol.tensors import read_tensor

KEYS = {"region": "INT64", "day": "BYTES"}
TYPES = {**{name: datatype for name, datatype, _ in INPUTS}, **KEYS}
OWN = {"price": [1.5, 2.5], "site": ["a", "b"]}
LOAD = {"load": [1.0, None], "units": [1, 2], "open": [True, None]}
WEATHER_KEY = {"region": [1, 2], "day": ["2026-11-27", None]}


def tensor(of: str, data: list[Any], **changes: Any) -> dict[str, Any]:
    return {"name": of, "datatype": TYPES[of], "shape": [len(data)], "data": data, **changes}


def inputs(*parts: dict[str, list[Any]]) -> list[dict[str, Any]]:
    return [tensor(name, data) for part in parts for name, data in part.items()]


def asked(*parts: dict[str, list[Any]]) -> Asked:
    found = reader().read(inputs(*parts))
    assert isinstance(found, Asked)
    return found


def test_features_are_left_out_and_keys_are_sent() -> None:
    found = asked(OWN, WEATHER_KEY)
    assert found.rows == 2
    assert found.columns == [[1.5, 2.5], ["a", "b"], None, None, None, None]
    # The key that is a feature is both.
    assert found.keys == {"site": ["a", "b"], "region": [1, 2], "day": [date(2026, 11, 27), None]}
    assert [found.lacks(table) for table in tables()] == [True, True]


def test_one_column_of_a_table_may_be_sent() -> None:
    found = asked(OWN, WEATHER_KEY, {"units": [7, 8]})
    assert found.columns[3] == [7.0, 8.0]
    assert [found.lacks(table) for table in tables()] == [True, True]


def test_a_table_that_is_sent_wants_no_key() -> None:
    found = asked(OWN, LOAD, {"w_sky": ["klar", None]})
    assert [found.lacks(table) for table in tables()] == [False, False]
    assert str(found.columns[2]) == "[1.0, nan]"
    assert found.columns[5] == ["klar", None]


def numbers(*columns: tuple[str, str, bool]) -> RequestReader:
    """Reads for a model of these columns that joined the first of the tables."""
    told = signature(*columns, matrix="float64")
    return RequestReader(told, parse_tables({"join": lineage()["join"][:1]}, told), 100)


def test_a_matrix_brings_everything() -> None:
    some = numbers(("price", "FP64", False), ("load", "FP64", True))
    sent = {"name": "x", "datatype": "FP64", "shape": [2, 2], "data": [[1, 2], [3, None]]}
    found = some.read([sent])
    assert isinstance(found, np.ndarray)
    assert str(found.tolist()) == "[[1.0, 2.0], [3.0, nan]]"


def test_a_key_alone_is_a_column_and_no_matrix() -> None:
    found = numbers(("load", "FP64", True)).read([tensor("site", ["a"], shape=[1, 1])])
    assert isinstance(found, Asked)
    assert found.keys == {"site": ["a"]}


REFUSED: dict[str, tuple[list[Any], str]] = {
    "no list": ([], "the request has no list 'inputs'"),
    "an own column less": (inputs({"site": ["a"]}), "columns are missing: 'price'"),
    "no key": (
        inputs(OWN),
        "'w_sky': send them, or the key by which they are looked up in 'weather': 'region', 'day'",
    ),
    "half a key": (inputs(OWN, {"region": [1, 2]}), "looked up in 'weather': 'day'"),
    "a column that is none": (
        [*inputs(OWN), tensor("day", ["a", "b"], name="dey")],
        "no column 'dey'; it has 'price', 'site', 'load', 'units', 'open', 'w_sky', 'region', ",
    ),
    "the run's time": ([*inputs(OWN), tensor("day", ["a"], name="at")], "no column 'at'"),
    "a key twice": (
        [*inputs(OWN, WEATHER_KEY), tensor("day", ["a", "b"])],
        "the column 'day' is sent twice",
    ),
    "a column twice": ([*inputs(OWN), tensor("price", [1.5, 2.5])], "'price' is sent twice"),
    "a key of other rows": (
        inputs(OWN, {"region": [1], "day": ["2026-11-27"]}),
        r"the column 'region' has the shape [1], where [2] or [2, 1] is expected",
    ),
    "a key as a number": (
        [*inputs(OWN), tensor("region", ["1", "2"], datatype="BYTES")],
        "the column 'region' is INT64, it is sent as BYTES",
    ),
    "half a key number": (
        [*inputs(OWN), tensor("region", [1.5, 2], datatype="FP64")],
        "the column 'region' holds whole numbers only",
    ),
    "a date that is none": (
        inputs(OWN, {"region": [1, 2], "day": ["2026-11-27", "27.11.2026"]}),
        "row 2: the key column 'day' holds Dates as ISO 8601 writes them, such as '2026-11-27'",
    ),
    "a null where the model takes none": (
        inputs({"price": [1.5, 2.5], "site": ["a", None]}, WEATHER_KEY),
        "the column 'site' has a null, the model takes none there",
    ),
    "no rows": (inputs({"price": [], "site": []}), "the request has no rows"),
    "more inputs than there are names": (
        [*inputs(OWN, LOAD, WEATHER_KEY, {"w_sky": ["", ""]}), tensor("day", ["a", "b"])],
        "the column 'day' is sent twice",
    ),
    "more than all, and one of them unknown": (
        [*inputs(OWN, LOAD, WEATHER_KEY, {"w_sky": ["", ""]}), tensor("day", ["a"], name="dey")],
        "the model has no column 'dey'",
    ),
    "more than all, without names": ([{}] * 9, "the request has 9 inputs, the model 8"),
}


@pytest.mark.parametrize("name", list(REFUSED))
def test_what_cannot_be_read_is_refused_by_name(name: str) -> None:
    sent, tells = REFUSED[name]
    with pytest.raises(ProtocolError) as refused:
        reader().read(sent)
    assert refused.value.status == 400
    assert tells in refused.value.message
    assert "27.11.2026" not in refused.value.message  # a key may be a name


def test_too_many_rows_are_refused() -> None:
    with pytest.raises(ProtocolError, match="more than 1: send fewer") as refused:
        reader(max_rows=1).read(inputs(OWN, WEATHER_KEY))
    assert refused.value.status == 413


def values(kind: str, datatype: str, *data: Any) -> list[Any]:
    sent = {"name": "k", "datatype": datatype, "shape": [len(data)], "data": list(data)}
    return key_values(read_tensor(sent), KeyColumn("k", kind))


NOON = datetime(2026, 11, 27, 12, 0, 0, 250_000, UTC)


@pytest.mark.parametrize(
    ("kind", "datatype", "data", "wanted"),
    [
        ("String", "BYTES", ["", "ä", None], ["", "ä", None]),
        ("Integer", "INT64", [7, -(2**63), None], [7, -(2**63), None]),
        ("Integer", "UINT8", [255], [255]),
        ("Integer", "FP64", [7.0], [7]),
        ("Float", "FP64", [7, 0.1, -0.0, None], [7.0, 0.1, 0.0, None]),
        ("Float", "INT32", [7], [7.0]),
        ("Boolean", "BOOL", [True, None], [True, None]),
        ("Boolean", "INT8", [1, 0], [True, False]),
        ("Date", "BYTES", ["2026-11-27", None], [date(2026, 11, 27), None]),
        ("Timestamp", "BYTES", ["2026-11-27T12:00:00.25Z", None], [NOON, None]),
        ("Timestamp", "BYTES", ["2026-11-27T12:00:00.250000"], [NOON]),
        ("Timestamp", "BYTES", ["2026-11-27T14:00:00.25+02:00"], [NOON]),
    ],
)
def test_a_key_has_one_form(kind: str, datatype: str, data: list[Any], wanted: list[Any]) -> None:
    found = values(kind, datatype, *data)
    assert found == wanted
    assert [type(one) for one in found] == [type(one) for one in wanted]
    assert str(found).count("-0.0") == 0


@pytest.mark.parametrize(
    ("kind", "datatype", "value"),
    [
        ("Integer", "BYTES", "7"),
        ("Integer", "FP64", 7.5),
        ("Boolean", "INT64", 2),
        ("Boolean", "BYTES", "true"),
        ("String", "INT64", 7),
        ("Date", "INT64", 20_260_101),
        ("Date", "BYTES", "2026-02-30"),
        ("Date", "BYTES", "2026-11-27T12:00:00Z"),
        ("Timestamp", "BYTES", "now"),
        ("Timestamp", "BYTES", "2026-11-27T12:00:00.1234567Z"),
        ("Timestamp", "INT64", 1_800_000_000),
        ("Float", "BYTES", "NaN"),
    ],
)
def test_a_key_of_another_type_is_refused_by_name(kind: str, datatype: str, value: Any) -> None:
    with pytest.raises(ProtocolError, match="column 'k'") as refused:
        values(kind, datatype, value)
    assert refused.value.status == 400
    assert str(value) not in refused.value.message.replace("2026-11-27T18:30:00Z", "")


def test_a_moment_is_one_in_every_zone() -> None:
    [found] = values("Timestamp", "BYTES", "2026-11-27T01:00:00+13:00")
    assert found == datetime(2026, 11, 26, 12, tzinfo=timezone(timedelta(0)))
