"""Every rule against an independent oracle: the same tables in Polars."""

import math
from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.unit.runner.checks.world import KINDS, NOW, World

from tidemill_runner.checks.outcome import Outcome

DTYPES = {
    "i": pl.Int64,
    "f": pl.Float64,
    "b": pl.Boolean,
    "s": pl.String,
    "d": pl.Date,
    "t": pl.Datetime("us", "UTC"),
}
VALUES: dict[str, st.SearchStrategy[Any]] = {
    "i": st.integers(-3, 3) | st.integers(2**53 - 2, 2**53 + 2) | st.integers(-(2**63), 2**63 - 1),
    "f": st.sampled_from([-0.0, 0.0, 0.1, 0.5, 1.5, math.nan, math.inf, -math.inf])
    | st.floats(width=64),
    "b": st.booleans(),
    "s": st.sampled_from(["", "a", "ab", "aé", "🙂", "B", "a\nb"]) | st.text(max_size=4),
    "d": st.dates(date(2026, 3, 8), date(2026, 3, 12)),
    "t": st.datetimes(datetime(2026, 3, 9), datetime(2026, 3, 11), timezones=st.just(UTC)),  # noqa: DTZ001
}
BOUNDS: dict[str, st.SearchStrategy[str]] = {
    "i": VALUES["i"].map(str) | st.sampled_from(["0.5", "-1.5", "2.999", f"{2**53}.5"]),
    "f": st.sampled_from(["-1", "0", "0.1", "0.5", "1.5", "1e300"]),
    "d": VALUES["d"].map(date.isoformat),
    "t": VALUES["t"].map(datetime.isoformat),
}
few = settings(
    max_examples=12, deadline=None, suppress_health_check=[HealthCheck.too_slow], derandomize=True
)


@st.composite
def tables(draw: st.DrawFn, names: str = "ifbsdt") -> dict[str, list[Any]]:
    count = draw(st.integers(0, 8))
    return {
        name: draw(st.lists(st.none() | VALUES[name], min_size=count, max_size=count))
        for name in names
    }


def frame(table: Mapping[str, list[Any]]) -> pl.DataFrame:
    """The same rows; a NaN is missing."""
    whole = pl.DataFrame(
        {name: pl.Series(values, dtype=DTYPES[name]) for name, values in table.items()}
    )
    return whole.with_columns(pl.col(pl.Float64).fill_nan(None))


def agree(world: World, outcome: Outcome, judged: pl.Series, violated: pl.Series) -> None:
    bad = [n for n, wrong in enumerate(violated.to_list()) if wrong]
    assert outcome.evaluated == sum(bool(x) for x in judged.to_list())
    assert outcome.violations == len(bad)
    assert outcome.where == tuple(world.places[n] for n in bad[:5])
    assert outcome.passed == (not bad)


def number(name: str, text: str) -> Any:
    """The bound as Python compares it, exactly."""
    readers: dict[str, Callable[[str], Any]] = {
        "i": Decimal,
        "f": float,
        "d": date.fromisoformat,
        "t": datetime.fromisoformat,
    }
    return readers[name](text)


@few
@pytest.mark.parametrize("name", list("ifdt"))
@pytest.mark.parametrize("part", ["min", "max"])
@given(data=st.data())
def test_bounds(name: str, part: str, data: st.DataObject) -> None:
    world = World(table := data.draw(tables(name)), size=3)
    text = data.draw(BOUNDS[name])
    limit = number(name, text)
    values = frame(table)[name]

    def wrong(value: Any) -> bool:
        if isinstance(value, float) and math.isinf(value):
            return True
        return bool(value < limit if part == "min" else value > limit)

    (outcome,) = world.column(name, **{part: text})
    violated = [value is not None and wrong(value) for value in values.to_list()]
    agree(world, outcome, values.is_not_null(), pl.Series(violated))


@few
@pytest.mark.parametrize("name", list("ifsbdt"))
@pytest.mark.parametrize("many", [0, 30], ids=["short", "long"])
@given(data=st.data())
def test_members(name: str, many: int, data: st.DataObject) -> None:
    world = World(table := data.draw(tables(name)), size=3)
    finite = VALUES[name].filter(lambda v: not isinstance(v, float) or math.isfinite(v))
    wanted = data.draw(st.lists(finite, min_size=1, max_size=4))
    filler = {"i": range(100, 100 + many), "f": [100.5 + n for n in range(many)]}
    filler |= {"s": [f"filler {n}" for n in range(many)]}  # type: ignore[dict-item]
    allowed = [*wanted, *filler.get(name, [])]
    texts = [
        value.isoformat()
        if isinstance(value, date)
        else str(value).lower()
        if isinstance(value, bool)
        else str(value)
        for value in allowed
    ]
    values = frame(table)[name]
    violated = [value is not None and value not in allowed for value in values.to_list()]
    (outcome,) = world.column(name, in_=texts)
    agree(world, outcome, values.is_not_null(), pl.Series(violated))


@few
@given(table=tables("s"), least=st.integers(0, 4), most=st.integers(4, 6))
def test_texts(table: dict[str, list[Any]], least: int, most: int) -> None:
    world = World(table, size=3)
    values = frame(table)["s"]
    there = values.is_not_null()
    low, high, match = sorted(
        world.column("s", minLength=least, maxLength=most, regex="[a-z]*"),
        key=lambda outcome: ["minLength", "maxLength", "regex"].index(outcome.kind),
    )
    agree(world, low, there, values.str.len_chars() < least)
    agree(world, high, there, values.str.len_chars() > most)
    agree(world, match, there, ~values.str.contains(r"\A[a-z]*\z"))


@few
@given(table=tables())
def test_gaps_and_uniqueness_of_a_column(table: dict[str, list[Any]]) -> None:
    world = World(table, size=3)
    rows = frame(table)
    for name in KINDS:
        gaps, unique = world.column(name, nullable=False, unique=True)
        values = rows[name] + 0.0 if name == "f" else rows[name]
        agree(world, gaps, pl.Series([True] * len(values)), values.is_null())
        agree(
            world, unique, values.is_not_null(), values.is_not_null() & ~values.is_first_distinct()
        )


@few
@given(table=tables(), exact=st.booleans())
def test_uniqueness_of_keys(table: dict[str, list[Any]], exact: bool) -> None:
    world = World(table, size=3)
    keys = frame(table).select("b", "d")
    outcome = world.check(unique={"columns": ["b", "d"], "exact": exact})
    there = keys.select(pl.all_horizontal(pl.all().is_not_null())).to_series()
    first = keys.select(pl.struct(pl.all()).is_first_distinct()).to_series()
    agree(world, outcome, there, there & ~first)


@few
@given(table=tables("bd"))
def test_rows_that_are_equal(table: dict[str, list[Any]]) -> None:
    world = World(table, size=3)
    first = frame(table).select(pl.struct(pl.all()).is_first_distinct()).to_series()
    agree(world, world.check(duplicateRows={}), pl.Series([True] * len(first)), ~first)


@few
@pytest.mark.parametrize("name", list("ifdt"))
@given(data=st.data(), up=st.booleans(), strict=st.booleans())
def test_order(name: str, data: st.DataObject, up: bool, strict: bool) -> None:
    world = World(table := data.draw(tables(name)), size=3)
    direction = "Increasing" if up else "Decreasing"
    outcome = world.check(monotonic={"column": name, "direction": direction, "strict": strict})
    there = frame(table).with_row_index().filter(pl.col(name).is_not_null())
    before = pl.col(name).shift(1)
    wrong = pl.col(name) < before if up else pl.col(name) > before
    wrong = wrong | (pl.col(name) == before) if strict else wrong
    bad = there.filter(wrong)["index"].to_list()
    assert (outcome.evaluated, outcome.violations) == (max(len(there) - 1, 0), len(bad))
    assert outcome.where == tuple(world.places[n] for n in bad[:5])


@few
@pytest.mark.parametrize("name", list("dt"))
@given(data=st.data(), hours=st.integers(0, 60))
def test_freshness(name: str, data: st.DataObject, hours: int) -> None:
    world = World(table := data.draw(tables(name)), size=3)
    moments = frame(table)[name].cast(DTYPES["t"]) if name == "d" else frame(table)[name]
    newest = moments.filter(moments <= NOW).max()
    fresh = newest is not None and newest >= NOW - timedelta(hours=hours)  # type: ignore[operator]
    outcome = world.check(freshness={"column": name, "maxAge": f"{hours}h"})
    assert outcome.passed == fresh


EXPRESSIONS: dict[str, pl.Expr] = {
    "f >= 0": pl.col("f") >= 0,
    "f < 1 OR i = 2": (pl.col("f") < 1) | (pl.col("i") == 2),
    "f < 1 AND b": (pl.col("f") < 1) & pl.col("b"),
    "NOT (i BETWEEN -1 AND 1)": ~pl.col("i").is_between(-1, 1),
    "i IN (1, 2, 9007199254740993)": pl.when(pl.col("i").is_not_null()).then(
        pl.col("i").is_in([1, 2, 9007199254740993])
    ),
    "i > 9007199254740992.0": pl.col("i") > 9007199254740992,
    "f IS NULL OR s IS NOT NULL": pl.col("f").is_null() | pl.col("s").is_not_null(),
    "CASE WHEN b THEN i > 0 ELSE i < 0 END": pl.when(pl.col("b"))
    .then(pl.col("i") > 0)
    .otherwise(pl.col("i") < 0),
    "coalesce(i, 1) = 1": pl.col("i").fill_null(1) == 1,
    "length(s) <= 1": pl.col("s").str.len_chars() <= 1,
    "starts_with(s, 'a')": pl.col("s").str.starts_with("a"),
    "contains(s, 'b')": pl.col("s").str.contains("b", literal=True),
    "s LIKE 'a%'": pl.col("s").str.starts_with("a"),
    "s || 'x' = 'ax'": pl.col("s") == "a",
    "day(d) = 10": pl.col("d").dt.day() == 10,
    "extract(hour FROM t) < 12": pl.col("t").dt.hour() < 12,
    "t >= d": pl.col("t") >= pl.col("d").cast(DTYPES["t"]),
    "isinf(f)": pl.col("f").is_infinite(),
    "b IS DISTINCT FROM true": pl.col("b").ne_missing(True),
}


@few
@given(table=tables())
def test_expressions(table: dict[str, list[Any]]) -> None:
    world = World(table, size=3)
    rows = frame(table)
    checks = [{"name": "x", "expression": expression} for expression in EXPRESSIONS]
    for outcome, oracle in zip(world.outcomes(checks), EXPRESSIONS.values(), strict=True):
        truth = rows.select(oracle.alias("x"))["x"]
        agree(world, outcome, truth.is_not_null(), ~truth)
