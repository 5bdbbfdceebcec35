"""The newest rows of a feature table in a real online store: what is written, and what is not."""

import math
from pathlib import Path
from typing import Any

import pytest
from tests.contract.online_table import LATE, TABLE, OnlineTable, csv, moment
from tests.contract.redis_server import RedisServer

from tidemill.store import online

HEADER = "site,ts,load"
FIRST = csv(
    HEADER,
    ("north", "2026-01-01T00:00:00Z", 1.5),
    ("north", "2026-01-02T00:00:00Z", 2.5),
    ("south", "2026-01-01T00:00:00Z", 3.5),
    ("east", "2026-01-01T00:00:00Z", 4.5),
)
SECOND = csv(
    HEADER,
    ("north", "2026-01-02T00:00:00Z", 2.5),
    ("south", "2026-01-03T00:00:00Z", 5.5),
    ("west", "2026-01-01T00:00:00Z", 6.5),
)
COUNTS = ("written", "removed", "unchanged", "rows")


@pytest.fixture
def table(redis: RedisServer, tmp_path: Path) -> OnlineTable:
    return OnlineTable(tmp_path, redis)


def counts(result: dict[str, Any]) -> tuple[int, ...]:
    return tuple(result[name] for name in COUNTS)


def test_the_newest_row_of_each_key(table: OnlineTable) -> None:
    version = table.version(FIRST)
    result = table.fill(version)
    assert table.rows() == {"north": {"load": 2.5}, "south": {"load": 3.5}, "east": {"load": 4.5}}
    assert counts(result) == (3, 0, 0, 3)
    assert table.texts[TABLE.row(["north"])] == (
        f'{{"t":{moment("2026-01-02")},"v":{{"load":2.5}}}}'
    )
    meta = table.meta
    assert meta.writing is None
    assert meta.whole is not None
    assert meta.whole.state == online.State(version["version"], LATE)
    assert (meta.whole.rows, meta.whole.newest) == (3, moment("2026-01-02"))
    assert meta.shape.key == (online.Column("site", "String"),)
    assert meta.shape.timestamp == online.Column("ts", "Timestamp")
    assert meta.shape.columns == (online.Column("load", "Float"),)


def test_a_new_version_writes_what_differs(table: OnlineTable) -> None:
    first, second = table.version(FIRST), table.version(SECOND)
    table.fill(first)
    server = table.server.client()
    server.set(TABLE.row(["north"]), "kept as it is")  # who is not touched
    result = table.fill(second)
    assert counts(result) == (2, 1, 1, 3)
    assert result["base"] == first["version"]
    assert server.get(TABLE.row(["north"])) == "kept as it is"
    assert set(table.texts) == {TABLE.row([key]) for key in ("north", "south", "west")}
    assert online.decode(table.texts[TABLE.row(["south"])]).values == {"load": 5.5}


def test_the_same_again_writes_nothing(table: OnlineTable) -> None:
    version = table.version(FIRST)
    table.fill(version)
    before = table.texts
    assert counts(table.fill(version)) == (0, 0, 3, 3)
    assert counts(table.fill(version, LATE + 1)) == (0, 0, 3, 3)
    assert table.texts == before
    assert table.meta.whole is not None
    assert table.meta.whole.state.moment == LATE + 1
    assert table.meta.sequence == 3


def test_a_row_counts_from_its_time_on(table: OnlineTable) -> None:
    version = table.version(FIRST)
    just_before = moment("2026-01-02") - 1
    result = table.fill(version, just_before)
    assert table.rows()["north"] == {"load": 1.5}
    assert (result["newest"], result["next"]) == (moment("2026-01-01"), moment("2026-01-02"))
    result = table.fill(version, just_before + 1)
    assert table.rows()["north"] == {"load": 2.5}
    assert (counts(result), result["next"]) == ((1, 0, 2, 3), None)


def test_before_all_rows_there_are_none(table: OnlineTable) -> None:
    result = table.fill(table.version(FIRST), moment("2025-01-01"))
    assert (counts(result), result["newest"]) == ((0, 0, 0, 0), None)
    assert table.texts == {}
    assert table.meta.whole is not None


def test_a_store_that_was_emptied_is_filled_again(table: OnlineTable) -> None:
    version = table.version(FIRST)
    table.fill(version)
    before = table.texts
    table.server.client().flushall()
    assert counts(table.fill(version)) == (3, 0, 0, 3)
    assert table.texts == before


@pytest.mark.parametrize("text", ["garbage", "[]", '{"v":9}', '{"v":1,"sequence":"x"}', "\xff"])
def test_what_is_no_meta_counts_as_none(table: OnlineTable, text: str) -> None:
    client = table.server.client()
    client.set(TABLE.meta, text)
    client.set(TABLE.row(["gone"]), "{}")
    client.set("tidemill:1:{ns/other}:row:[1]", "{}")
    client.set("mine", "x")
    assert counts(table.fill(table.version(FIRST))) == (3, 1, 0, 3)
    assert set(table.rows()) == {"north", "south", "east"}
    assert client.get("tidemill:1:{ns/other}:row:[1]") == "{}"
    assert client.get("mine") == "x"


def test_other_columns_write_all_anew(table: OnlineTable) -> None:
    table.fill(table.version(FIRST))
    wider = csv("site,ts,load,temp", ("north", "2026-01-01T00:00:00Z", 1, 2))
    assert counts(table.fill(table.version(wider))) == (1, 2, 0, 1)
    assert table.rows() == {"north": {"load": 1, "temp": 2}}
    assert [column.type for column in table.meta.shape.columns] == ["Integer", "Integer"]


def test_another_key_writes_all_anew(table: OnlineTable) -> None:
    rows = [("north", i, f"2026-01-0{i}T00:00:00Z", i) for i in (1, 2)]
    data = csv("site,unit,ts,load", *rows)
    table.fill(table.version(data))
    assert set(table.rows()) == {"north"}
    table.entity = {"key": ["unit", "site"], "timestamp": "ts"}
    table.fill(table.version(data))
    assert table.rows() == {(1, "north"): {"load": 1}, (2, "north"): {"load": 2}}
    assert [column.name for column in table.meta.shape.key] == ["unit", "site"]


def test_a_base_that_is_gone_is_not_needed(table: OnlineTable) -> None:
    first, second = table.version(FIRST), table.version(SECOND)
    table.fill(first)
    del table.workshop.store.objects[first["manifest"]]
    result = table.fill(second)
    assert (counts(result), result["base"]) == ((3, 1, 0, 3), None)
    assert set(table.rows()) == {"north", "south", "west"}


def test_values_of_every_type(table: OnlineTable) -> None:
    header = "site,ts,flag,number,real,text,day,at"
    full = ("ä\u2028b", "2026-01-01T00:00:00.000001Z", "true", 2**53 + 1, "inf", '"x ""y"""')
    data = csv(
        header,
        (
            "s p",
            "2026-01-01T00:00:00Z",
            "false",
            -1,
            "-0.0",
            "NaN",
            "2026-02-03",
            "2026-02-03T01:02:03Z",
        ),
        (*full, None, None),
        ("none", "2026-01-01T00:00:00Z", None, None, None, None, None, None),
        ("nan", "2026-01-01T00:00:00Z", None, None, "nan", None, None, None),
        ("minus", "2026-01-01T00:00:00Z", None, None, "-inf", None, None, None),
    )
    table.fill(table.version(data))
    types = {column.name: column.type for column in table.meta.shape.columns}
    assert types == {
        "flag": "Boolean",
        "number": "Integer",
        "real": "Float",
        "text": "String",
        "day": "Date",
        "at": "Timestamp",
    }
    rows = table.rows()
    at = moment("2026-02-03T01:02:03")
    empty = dict.fromkeys(types)
    first = {"flag": False, "number": -1, "real": 0.0, "text": "NaN", "day": "2026-02-03", "at": at}
    assert rows["s p"] == first
    assert math.copysign(1, rows["s p"]["real"]) == -1
    odd = {"flag": True, "number": 2**53 + 1, "real": "Infinity", "text": 'x "y"'}
    assert rows["ä\u2028b"] == {**empty, **odd}
    assert rows["none"] == rows["nan"] == empty  # a NaN is missing, as it is offline
    assert rows["minus"] == {**empty, "real": "-Infinity"}
    assert online.decode(table.texts[TABLE.row(["ä\u2028b"])]).known == moment("2026-01-01") + 1


@pytest.mark.parametrize(
    ("column", "value", "stored"),
    [
        ("unit", 7, 7),
        ("unit", 1.5, 1.5),
        ("unit", "-0.0", 0.0),
        ("unit", "true", True),
        ("unit", "2026-02-03", "2026-02-03"),
        ("unit", "2026-02-03T00:00:00Z", moment("2026-02-03")),
        ("unit", '[]*?{}"\\'.replace('"', ""), "[]*?{}\\"),
    ],
)
def test_keys_of_every_type(table: OnlineTable, column: str, value: Any, stored: Any) -> None:
    table.entity = {"key": [column], "timestamp": "ts"}
    version = table.version(csv(f"{column},ts,load", (value, "2026-01-01", 1)))
    table.fill(version)
    assert set(table.texts) == {TABLE.row([stored])}
    table.server.client().delete(TABLE.meta)
    assert counts(table.fill(version)) == (1, 0, 0, 1)  # the name that is found is that of the row


def test_minus_zero_is_no_zero(table: OnlineTable) -> None:
    zeros = [
        csv(HEADER, ("a", "2026-01-01", zero), ("b", "2026-01-01", 1.5)) for zero in ("0.0", "-0.0")
    ]
    table.fill(table.version(zeros[0]))
    assert counts(table.fill(table.version(zeros[1]))) == (1, 0, 1, 2)
    assert "-0.0" in table.texts[TABLE.row(["a"])]


def test_a_table_of_keys_alone(table: OnlineTable) -> None:
    table.fill(table.version(csv("site,ts", ("a", "2026-01-01"), ("a", "2026-01-02"))))
    assert table.texts == {TABLE.row(["a"]): f'{{"t":{moment("2026-01-02")},"v":{{}}}}'}


def test_a_row_is_kept_for_its_time_to_live(table: OnlineTable) -> None:
    hour, day = 3_600_000, 24 * 3_600_000
    data = csv(HEADER, ("old", "2026-01-01T00:00:00Z", 1), ("new", "2090-01-01T00:00:00Z", 2))
    version, now = table.version(data), moment("2090-01-01T01:00:00")
    assert counts(table.fill(version, now, ttl=day)) == (1, 0, 0, 1)
    assert set(table.rows()) == {"new"}
    client = table.server.client()
    due = moment("2090-01-02") // 1000
    assert client.execute_command("PEXPIRETIME", TABLE.row(["new"])) == due
    assert client.execute_command("PEXPIRETIME", TABLE.meta) == -1
    # To the very end of it a row counts, and no longer.
    assert table.fill(version, now - 1, ttl=hour)["rows"] == 1
    assert table.fill(version, now, ttl=hour)["rows"] == 0
    assert table.texts == {}


def test_another_time_to_live_is_given_to_all_rows(table: OnlineTable) -> None:
    data = csv(HEADER, *((key, "2090-01-01T00:00:00Z", 1) for key in "ab"))
    version, now = table.version(data), moment("2090-01-01")
    client, name = table.server.client(), TABLE.row(["a"])
    table.fill(version, now, ttl=1000)
    assert counts(table.fill(version, now, ttl=2000)) == (2, 0, 0, 2)
    assert client.execute_command("PEXPIRETIME", name) == moment("2090-01-01") // 1000 + 2000
    assert counts(table.fill(version, now)) == (2, 0, 0, 2)
    assert client.execute_command("PEXPIRETIME", name) == -1


def test_a_time_to_live_that_ended_meanwhile(table: OnlineTable) -> None:
    """By the server's clock the row is too old: it is gone at once, and nothing fails."""
    version = table.version(csv(HEADER, ("a", "2026-01-01T00:00:00Z", 1)))
    table.fill(version, moment("2026-01-01"), ttl=1000)
    assert table.texts == {}


def test_many_rows_go_in_batches(table: OnlineTable) -> None:
    rows = [(f"s{n}", f"2026-01-0{1 + n % 3}T00:00:00Z", n) for n in range(2500)]
    table.fill(table.version(csv(HEADER, *rows)))
    assert len(table.texts) == 2500
    changed = [(key, ts, n if n % 2 else -n) for key, ts, n in rows[500:]]
    result = table.fill(table.version(csv(HEADER, *changed)))
    assert counts(result) == (1000, 500, 1000, 2000)
    table.server.client().delete(TABLE.meta)
    result = table.fill(table.version(csv(HEADER, *rows[:10])))
    assert counts(result) == (10, 2000, 0, 10)
    assert len(table.texts) == 10


def test_texts_that_fill_a_batch_alone(table: OnlineTable) -> None:
    rows = [(f"s{n}", "2026-01-01T00:00:00Z", "x" * 400_000) for n in range(7)]
    table.fill(table.version(csv("site,ts,words", *rows)))
    assert {len(values["words"]) for values in table.rows().values()} == {400_000}
