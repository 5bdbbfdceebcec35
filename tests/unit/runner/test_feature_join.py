"""No feature is from after its row's time: the join against an oracle that looks at every pair."""

import datetime as dt
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tidemill_runner import database
from tidemill_runner.feature_join import Clock, Features, join

START = dt.datetime(2026, 3, 29, tzinfo=dt.UTC)  # the day on which Europe's clocks go forward
HOUR, TICK = dt.timedelta(hours=1), dt.timedelta(microseconds=1)
TYPES = {
    "utc": pa.timestamp("us", tz="UTC"),
    "berlin": pa.timestamp("us", tz="Europe/Berlin"),
    "plain": pa.timestamp("us"),
    "date": pa.date32(),
}
keys = st.sampled_from(["a", "b"])
moments = st.builds(
    lambda hours, ticks: START + hours * HOUR + ticks * TICK,
    st.sampled_from([-48, -24, -1, 0, 1, 2, 24]),
    st.integers(-1, 1),
)
ages = st.sampled_from([None, dt.timedelta(0), TICK, HOUR, 24 * HOUR])


def of_type(moment: dt.datetime | None, kind: str) -> Any:
    if moment is None or kind in ("utc", "berlin"):
        return moment
    return moment.date() if kind == "date" else moment.replace(tzinfo=None)


def seen(moment: dt.datetime, kind: str) -> dt.datetime:
    """The moment that a column of the kind keeps."""
    if kind != "date":
        return moment
    return dt.datetime.combine(moment.date(), dt.time(), tzinfo=dt.UTC)


def column(moments: list[Any], kind: str) -> pa.Array:
    return pa.array([of_type(one, kind) for one in moments], TYPES[kind])


def oracle(
    row: tuple[str | None, dt.datetime | None],
    known: list[tuple[str, dt.datetime, int]],
    age: dt.timedelta | None,
) -> int | None:
    key, time = row
    if key is None or time is None:
        return None
    fit = [(t, v) for k, t, v in known if k == key and t <= time]
    if not fit:
        return None
    newest, value = max(fit)
    return value if age is None or time - newest <= age else None


def joined(
    tmp: Path, rows: list[Any], known: list[Any], kinds: tuple[str, str], age: dt.timedelta | None
) -> pa.Table:
    limits = database.Limits(256 * 1024 * 1024, 1)
    table = pa.table(
        {
            "site": pa.array([key for key, _ in rows], pa.string()),
            "at": column([time for _, time in rows], kinds[0]),
        }
    )
    features = pa.table(
        {
            "site": pa.array([key for key, _, _ in known], pa.string()),
            "ts": column([time for _, time, _ in known], kinds[1]),
            "load": pa.array([value for _, _, value in known], pa.int64()),
        }
    )
    wanted = Features("SELECT * FROM known", Clock(("site",), "ts"), {"last_load": "load"}, age)
    with database.connect([], tmp, limits) as connection:
        connection.register("known", features)
        return join(connection, table, Clock(("site",), "at"), wanted)


@settings(
    max_examples=150,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(
    rows=st.lists(st.tuples(st.none() | keys, st.none() | moments), max_size=12),
    known=st.lists(st.tuples(keys, moments), max_size=12),
    kinds=st.tuples(st.sampled_from(list(TYPES)), st.sampled_from(list(TYPES))),
    age=ages,
)
def test_newest_known_at_the_time(
    tmp_path: Path, rows: list[Any], known: list[Any], kinds: tuple[str, str], age: Any
) -> None:
    unique = sorted({(key, seen(time, kinds[1])) for key, time in known})
    valued = [(key, time, value) for value, (key, time) in enumerate(unique)]
    table = joined(tmp_path, rows, valued, kinds, age)
    at = [(key, seen(time, kinds[0]) if time else None) for key, time in rows]
    assert table.column("site").to_pylist() == [key for key, _ in rows]
    assert table.column("last_load").to_pylist() == [oracle(row, valued, age) for row in at]


@pytest.mark.parametrize(
    ("later", "age", "value"),
    [
        (dt.timedelta(0), None, 7),
        (-TICK, None, None),
        (HOUR, HOUR, 7),
        (HOUR + TICK, HOUR, None),
    ],
    ids=["same-moment", "a-tick-before", "oldest-allowed", "a-tick-too-old"],
)
def test_edges(tmp_path: Path, later: dt.timedelta, age: Any, value: int | None) -> None:
    table = joined(tmp_path, [("a", START + later)], [("a", START, 7)], ("utc", "utc"), age)
    assert table.column("last_load").to_pylist() == [value]


@pytest.mark.parametrize("age", [None, HOUR])
def test_moments_at_the_ends_of_time(tmp_path: Path, age: dt.timedelta | None) -> None:
    """Values that databases keep for "for ever" are no times, and break nothing."""
    ends = pa.array([-(2**62), 2**62, 2**63 - 1, None], pa.int64()).cast(TYPES["utc"])
    table = pa.table({"site": ["a"] * 4, "at": ends})
    features = pa.table({"site": ["a"], "ts": ends[:1], "load": [7]})
    wanted = Features("SELECT * FROM known", Clock(("site",), "ts"), {"load": "load"}, age)
    with database.connect([], tmp_path, database.Limits(256 * 1024 * 1024, 1)) as connection:
        connection.register("known", features)
        found = join(connection, table, Clock(("site",), "at"), wanted)
    assert found.column("load").to_pylist() == [7, None if age else 7, None, None]


def test_names_of_columns_are_names_only(tmp_path: Path) -> None:
    """Not the join's own ones, and no part of a statement."""
    names = ["r", "site", "v0", "row", "l", 'a"b', "v1", "select", "wanted"]
    moment = pa.array([START], TYPES["utc"])
    later = pa.array([START + HOUR], TYPES["utc"])
    table = pa.table({"t": pa.array(["a"]), "row": later, "k0": later})
    values = {name: pa.array([float(place)]) for place, name in enumerate(names)}
    features = pa.table({"t": pa.array(["a"]), "k0": moment, **values})
    columns = {f"f_{name}": name for name in names}
    wanted = Features("SELECT * FROM known", Clock(("t",), "k0"), columns)
    with database.connect([], tmp_path, database.Limits(256 * 1024 * 1024, 1)) as connection:
        connection.register("known", features)
        found = join(connection, table, Clock(("t",), "row"), wanted)
    assert found.column_names == ["t", "row", "k0", *columns]
    assert [found.column(name)[0].as_py() for name in columns] == list(map(float, range(9)))
