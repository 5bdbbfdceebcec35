"""The texts of an online store: what is written is what is read, and equal keys have one name."""

import json
import math
from datetime import UTC, date, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tidemill.store import online

TABLE = online.Table("lab", "weather")
SCALARS = st.one_of(st.none(), st.booleans(), st.integers(), st.text(), st.floats(allow_nan=False))


def test_names_share_a_hash_tag() -> None:
    assert TABLE.meta == "tidemill:1:{lab/weather}:meta"
    assert TABLE.row(["north", 3]) == 'tidemill:1:{lab/weather}:row:["north",3]'


def test_keys_of_different_types_have_different_names() -> None:
    keys = [["1"], [1], [1.5], [True], [date(2026, 1, 1)], [datetime(2026, 1, 1, tzinfo=UTC)]]
    assert len({TABLE.row(key) for key in keys}) == len(keys)


def test_one_moment_is_one_key_in_every_zone() -> None:
    naive, aware = datetime(1969, 12, 31, 23), datetime(1969, 12, 31, 23, tzinfo=UTC)  # noqa: DTZ001
    assert online.microseconds(naive) == online.microseconds(aware) == -3_600_000_000


@given(st.integers(), st.dictionaries(st.text(), SCALARS))
def test_a_row_is_read_as_it_was_written(known: int, values: dict[str, online.Value]) -> None:
    row = online.decode(online.encode(known, values))
    assert row.known == known
    assert row.values == {name: online.stored(value) for name, value in values.items()}


def test_what_json_has_no_number_for_is_a_text() -> None:
    values = {"a": math.nan, "b": math.inf, "c": -math.inf}
    row = online.decode(online.encode(0, values))
    assert row.values == {"a": "NaN", "b": "Infinity", "c": "-Infinity"}


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"t":1.5,"v":{}}', '{"t":1,"v":[]}', "\xff"])
def test_what_is_no_row_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        online.decode(text)


SHAPE = online.Shape(
    (online.Column("site", "String"), online.Column("unit", "Integer")),
    online.Column("ts", "Timestamp"),
    (online.Column("load", "Float"), online.Column("ü", "String")),
    3_600_000,
)
STATE = online.State("sha256:" + "1" * 64, 1_700_000_000_000_000)
WHOLE = online.Whole(STATE, 12, 5, None, 6)
METAS = [
    online.Meta(SHAPE, 1),
    online.Meta(SHAPE, 2**53 - 1, WHOLE),
    online.Meta(SHAPE, 3, None, STATE),
    online.Meta(
        online.Shape((), SHAPE.timestamp, ()), 4, online.Whole(STATE, 0, None, 9, 6), STATE
    ),
]


@pytest.mark.parametrize("meta", METAS)
def test_what_is_known_is_read_as_it_was_written(meta: online.Meta) -> None:
    text = online.encode_meta(meta)
    assert online.decode_meta(text) == online.decode_meta(text.encode()) == meta
    assert json.loads(text)["sequence"] == meta.sequence  # as the store's script reads it


@pytest.mark.parametrize(
    "change",
    [
        {"v": 2},
        {"sequence": "1"},
        {"sequence": True},
        {"shape": {}},
        {"shape": None},
        {"whole": {"state": {"version": 1, "moment": 1}}},
        {"writing": {"version": "sha256:1"}},
        {"writing": []},
    ],
)
def test_what_is_not_known_is_refused(change: dict[str, object]) -> None:
    document = json.loads(online.encode_meta(METAS[1])) | change
    with pytest.raises(ValueError, match=r"feature table"):
        online.decode_meta(json.dumps(document))
    for text in ("", "[]", "{}", "1"):
        with pytest.raises(ValueError, match=r"."):
            online.decode_meta(text)
