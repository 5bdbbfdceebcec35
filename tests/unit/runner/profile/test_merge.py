"""The profile of shards, merged, is that of the whole, bit for bit."""

import datetime as dt
import math
import random
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.unit.runner.profile.tables import profile, table

from tidemill_runner.profile import document, histogram
from tidemill_runner.profile.measure import Grouping
from tidemill_runner.schema import ColumnType

SHARDS = 8
KINDS = {
    "id": ColumnType.INTEGER,
    "code": ColumnType.INTEGER,
    "reading": ColumnType.FLOAT,
    "wild": ColumnType.FLOAT,
    "half": ColumnType.FLOAT,
    "flag": ColumnType.BOOLEAN,
    "group": ColumnType.STRING,
    "note": ColumnType.STRING,
    "day": ColumnType.DATE,
    "seen": ColumnType.TIMESTAMP,
    "list": ColumnType.OTHER,
    "secret": ColumnType.STRING,
    "empty": ColumnType.FLOAT,
}
GROUPING = Grouping(("group", "flag"), "code")
WILD = (math.nan, math.inf, -math.inf, 0.0, -0.0, 5e-324, -5e-324, 1.7976931348623157e308, None)


def drawn(seed: int, rows: int) -> pa.Table:
    rng = random.Random(seed)
    start = dt.datetime(2024, 2, 28, tzinfo=dt.UTC)

    def gap(value: Any) -> Any:
        return None if rng.random() < 0.1 else value

    columns: dict[str, list[Any]] = {
        "id": [rng.randrange(-(2**63), 2**63) for _ in range(rows)],
        "code": [gap(rng.randrange(12)) for _ in range(rows)],
        "reading": [gap(rng.gauss(293, 2)) for _ in range(rows)],
        "wild": [
            rng.choice(WILD)
            if rng.random() < 0.3
            else math.copysign(10 ** rng.uniform(-300, 300), rng.random() - 0.5)
            for _ in range(rows)
        ],
        "half": [gap(rng.randrange(40) / 2 - 10) for _ in range(rows)],
        "flag": [gap(rng.random() < 0.3) for _ in range(rows)],
        "group": [gap(rng.choice("äbcdé")) for _ in range(rows)],
        "note": [gap("x" * rng.randrange(80) + str(rng.random())) for _ in range(rows)],
        "day": [gap(dt.date(rng.randrange(1, 9999), 5, 17)) for _ in range(rows)],
        "seen": [gap(start + dt.timedelta(seconds=rng.randrange(10**6))) for _ in range(rows)],
        "list": [gap([rng.randrange(5)]) for _ in range(rows)],
        "secret": [gap(f"secret-{rng.randrange(50)}") for _ in range(rows)],
        "empty": [None] * rows,
    }
    return table(KINDS, columns, [f"part-{rng.randrange(SHARDS)}.csv" for _ in range(rows)])


def shards(rows: pa.Table, assignment: list[int]) -> list[pa.Table]:
    """The rows of each shard; `assignment` gives each object's."""
    return [
        rows.filter(pc.is_in(rows["__object"], pa.array(keys, pa.string())))
        for shard in range(SHARDS)
        if (keys := [f"part-{n}.csv" for n, given in enumerate(assignment) if given == shard])
        is not None
    ]


def measured(rows: pa.Table) -> document.Profile:
    return profile(rows, KINDS, ["secret"], GROUPING)


@pytest.mark.parametrize(
    ("rows", "assignment"),
    [
        pytest.param(3000, [0, 1, 2, 3, 4, 5, 6, 7], id="each object its own shard"),
        pytest.param(3000, [7, 6, 5, 4, 3, 2, 1, 0], id="in the opposite order"),
        pytest.param(3000, [0] * 8, id="all in one, seven without a row"),
        pytest.param(1500, [0, 1, 0, 1, 0, 1, 0, 1], id="values are few in the shards only"),
        pytest.param(20, [0, 1, 2, 3, 4, 5, 6, 7], id="few rows"),
        pytest.param(0, [0, 1, 2, 3, 4, 5, 6, 7], id="no row at all"),
    ],
)
def test_shards_merge_to_the_whole(rows: int, assignment: list[int]) -> None:
    whole = drawn(rows, rows)
    parts = [measured(part) for part in shards(whole, assignment)]
    assert document.merge(parts).to_bytes() == measured(whole).to_bytes()


@settings(max_examples=8, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    st.integers(0, 2**32), st.integers(0, 400), st.lists(st.integers(0, 7), min_size=8, max_size=8)
)
def test_any_split_merges_to_the_whole(seed: int, rows: int, assignment: list[int]) -> None:
    whole = drawn(seed, rows)
    parts = [measured(part) for part in shards(whole, assignment)]
    random.Random(seed).shuffle(parts)
    assert document.merge(parts).to_bytes() == measured(whole).to_bytes()


@settings(max_examples=100, deadline=None)
@given(
    st.lists(
        st.lists(st.tuples(st.integers(-4_600_000, 4_600_000), st.integers(1, 9)), max_size=2000),
        min_size=1,
        max_size=5,
    )
)
def test_buckets_collapse_alike_whatever_the_split(parts: list[list[tuple[int, int]]]) -> None:
    def built(pairs: list[tuple[int, int]]) -> histogram.Histogram:
        keys, counts = (histogram.np.array([pair[i] for pair in pairs], int) for i in (0, 1))
        return histogram.build(keys, counts, None, None)

    merged = histogram.merge([built(part) for part in parts])
    whole = built([pair for part in parts for pair in part])
    assert merged.to_document() == whole.to_document()


def test_the_order_of_rows_and_the_number_of_threads_do_not_matter() -> None:
    whole = drawn(5, 2000)
    turned = whole.take(pa.array(list(reversed(range(2000)))))
    assert measured(turned).to_bytes() == measured(whole).to_bytes()


def test_groups_too_many_in_one_shard_are_too_many_in_all() -> None:
    kinds = {"group": ColumnType.INTEGER}
    objects = ["few.csv"] * 40 + ["many.csv"] * 60
    rows = table(kinds, {"group": [n % 4 for n in range(40)] + list(range(60))}, objects)
    parts = [
        profile(rows.filter(pc.equal(rows["__object"], key)), kinds, (), Grouping(("group",)))
        for key in ("few.csv", "many.csv")
    ]
    whole = profile(rows, kinds, (), Grouping(("group",)))
    assert parts[0].cells[0].counts is not None
    assert document.merge(parts).to_bytes() == whole.to_bytes()


def test_a_profile_survives_being_stored() -> None:
    data = measured(drawn(3, 500)).to_bytes()
    assert document.parse(data).to_bytes() == data


def test_profiles_of_other_columns_or_hashes_are_not_merged() -> None:
    one = measured(drawn(1, 50))
    other = profile(
        drawn(1, 50).drop_columns(["id"]), {k: v for k, v in KINDS.items() if k != "id"}
    )
    with pytest.raises(ValueError, match="different columns"):
        document.merge([one, other])
    data = one.to_bytes().replace(one.hashes.encode(), b"another-hash")
    with pytest.raises(ValueError, match="different hashes"):
        document.merge([one, document.parse(data)])


@pytest.mark.parametrize("data", [b"", b"{}", b"[]", b'{"v": 2}', b'{"v": 1, "rows": 3}'])
def test_what_is_no_profile_is_refused(data: bytes) -> None:
    with pytest.raises(ValueError, match=r"profile|Expecting"):
        document.parse(data)
