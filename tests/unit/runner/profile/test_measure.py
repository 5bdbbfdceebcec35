"""What a profile says of a column, against the values themselves."""

import datetime as dt
import math
import random
import statistics
from typing import Any

import numpy as np
import pytest
from tests.unit.runner.profile.tables import profile, profile_of, table

from tidemill_runner.failures import Failure
from tidemill_runner.profile import histogram
from tidemill_runner.profile.column import ColumnProfile, Gaps
from tidemill_runner.profile.document import Profile
from tidemill_runner.profile.measure import Grouping
from tidemill_runner.schema import ColumnType

SHARES = [0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99]
RNG = np.random.default_rng(7)
TOKYO = dt.timezone(dt.timedelta(hours=9))


def column(kind: ColumnType, values: Any) -> ColumnProfile:
    return profile_of(x=(kind, values)).columns[0]


@pytest.mark.parametrize(
    ("values", "gaps", "least", "greatest"),
    [
        pytest.param([1.0, None, math.nan, 2.0], Gaps(1, 1), 1.0, 2.0, id="null and NaN"),
        pytest.param([math.inf, -math.inf, -math.inf, 3.0], Gaps(0, 0, 2, 1), 3.0, 3.0, id="inf"),
        pytest.param([0.0, -0.0], Gaps(), 0.0, 0.0, id="both zeros"),
        pytest.param([5e-324, 1.7976931348623157e308], Gaps(), 5e-324, 1.7976931348623157e308),
        pytest.param([None, None], Gaps(2), None, None, id="nothing"),
        pytest.param([math.nan], Gaps(0, 1), None, None, id="only NaN"),
    ],
)
def test_gaps_and_extremes_are_exact(
    values: list[float | None], gaps: Gaps, least: float | None, greatest: float | None
) -> None:
    found = column(ColumnType.FLOAT, values)
    assert found.gaps == gaps
    assert found.spread is not None
    assert (found.spread.least, found.spread.greatest) == (least, greatest)
    assert found.spread.total == found.count == len(values) - gaps.total


@pytest.mark.parametrize(
    "values",
    [
        pytest.param(RNG.normal(0, 1, 20_000), id="normal"),
        pytest.param(RNG.normal(293, 2, 20_000), id="far from zero"),
        pytest.param(RNG.lognormal(0, 8, 20_000), id="over many orders"),
        pytest.param(-RNG.exponential(1e-9, 20_000), id="tiny and negative"),
        pytest.param(RNG.integers(0, 400, 20_000).astype(float), id="few values"),
        pytest.param(RNG.integers(-(2**62), 2**62, 20_000), id="huge integers"),
        pytest.param(np.where(RNG.random(20_000) < 0.4, 0.0, RNG.normal(size=20_000)), id="zeros"),
    ],
)
def test_quantiles_are_within_one_percent(values: np.ndarray) -> None:
    kind = ColumnType.FLOAT if values.dtype.kind == "f" else ColumnType.INTEGER
    found = column(kind, values)
    exact = np.sort(values)[[math.floor(share * (len(values) - 1)) for share in SHARES]]
    np.testing.assert_allclose(found.quantiles(SHARES), exact, rtol=0.01)
    size = float(np.abs(values.astype(float)).mean())
    assert found.mean() == pytest.approx(values.astype(float).mean(), abs=3e-4 * size)
    assert found.deviation() == pytest.approx(
        values.astype(float).std(ddof=1), abs=3e-4 * float(np.abs(values).max())
    )


def test_integers_have_an_exact_sum() -> None:
    values = [2**63 - 1, 2**63 - 1, -(2**63), 17] * 500
    assert column(ColumnType.INTEGER, values).sum == sum(values)
    assert column(ColumnType.INTEGER, values).mean() == statistics.fmean(values)


@pytest.mark.parametrize("number", [0, 1, 37, 1000, 1001, 5000, 60_000])
def test_distinct_values_are_exact_when_few_and_near_when_many(number: int) -> None:
    found = column(ColumnType.INTEGER, list(range(number)) * 2)
    assert found.distinct == pytest.approx(number, rel=0 if number <= 1000 else 0.05)
    assert (found.values is not None) == (number <= 1000)


def test_values_are_counted_exactly() -> None:
    words = ["b", "a", None, "b", "", "ä<b>"]
    assert column(ColumnType.STRING, words).values == (("", 1), ("a", 1), ("b", 2), ("ä<b>", 1))
    assert column(ColumnType.BOOLEAN, [True, None, True, False]).values == ((False, 1), (True, 2))
    assert column(ColumnType.FLOAT, [0.5, -0.0, 0.0, math.nan]).values == ((0.0, 2), (0.5, 1))


def test_long_texts_are_no_categories() -> None:
    found = column(ColumnType.STRING, ["x" * 257, "a"])
    assert found.values is None
    assert found.range == ("a", "x" * 100)
    assert found.lengths is not None
    assert (found.lengths.total, found.lengths.greatest) == (2, 257)


@pytest.mark.parametrize(
    ("kind", "values", "ends", "unit", "bars"),
    [
        (
            ColumnType.DATE,
            [dt.date(2024, 2, 28), dt.date(2024, 3, 1), dt.date(2024, 3, 1), None],
            ("2024-02-28", "2024-03-01"),
            "day",
            [("2024-02-28", 1), ("2024-02-29", 0), ("2024-03-01", 2)],
        ),
        (
            ColumnType.TIMESTAMP,
            # Midnight in Tokyo is the day before in UTC.
            [dt.datetime(1969, 12, 31, tzinfo=TOKYO), dt.datetime(1970, 1, 1, tzinfo=dt.UTC)],
            ("1969-12-30T15:00:00Z", "1970-01-01T00:00:00Z"),
            "day",
            [("1969-12-30", 1), ("1969-12-31", 0), ("1970-01-01", 1)],
        ),
        (
            ColumnType.DATE,
            [dt.date(2023, 11, 30), dt.date(2024, 2, 1)],
            ("2023-11-30", "2024-02-01"),
            "month",
            [("2023-11", 1), ("2023-12", 0), ("2024-01", 0), ("2024-02", 1)],
        ),
        (
            ColumnType.DATE,
            [dt.date(1895, 7, 1), dt.date(1901, 1, 1)],
            ("1895-07-01", "1901-01-01"),
            "year",
            [(str(year), int(year in (1895, 1901))) for year in range(1895, 1902)],
        ),
        (ColumnType.DATE, [None], None, "day", []),
    ],
)
def test_moments_are_counted_by_calendar(
    kind: ColumnType, values: list[Any], ends: Any, unit: str, bars: list[tuple[str, int]]
) -> None:
    found = column(kind, values)
    assert found.range == ends
    assert found.calendar is not None
    assert found.calendar.bars() == (unit, bars)


@pytest.mark.parametrize("kind", [ColumnType.STRING, ColumnType.INTEGER, ColumnType.FLOAT])
def test_a_sensitive_column_shows_counts_and_nothing_else(kind: ColumnType) -> None:
    numbers = [918273645 + n % 3 for n in range(60)]
    values = [f"secret-{n}" for n in numbers] if kind is ColumnType.STRING else numbers
    kinds = {"x": kind, "y": ColumnType.INTEGER}
    rows = table(kinds, {"x": [None, *values[1:]], "y": numbers}, ["part.csv"] * 60)
    found = profile(rows, kinds, ["x", "y"])
    assert [c.distinct for c in found.columns] == [3, 3]
    assert found.columns[0].gaps == Gaps(1)
    assert found.columns[0].values is found.columns[0].range is found.columns[0].spread is None
    text = found.to_bytes().decode()
    assert not any(word in text for word in ("91827", "secret", "9.18"))


def test_the_sample_is_that_of_a_thousand_rows_with_their_places() -> None:
    kinds = {"x": ColumnType.INTEGER, "long": ColumnType.STRING, "list": ColumnType.OTHER}
    columns = {"x": list(range(3000)), "long": ["y" * 100] * 3000, "list": [[1]] * 3000}
    objects = [f"part-{n // 1000}.csv" for n in range(3000)]
    sample = profile(table(kinds, columns, objects), kinds).sample
    assert sample.names == ("x", "long")
    assert len(sample.cells) == len({cells[0] for cells in sample.cells}) == 1000
    for (_, key, row), (x, text) in zip(sample.places, sample.cells, strict=True):
        assert (key, row) == (f"part-{int(x or 0) // 1000}.csv", int(x or 0) % 1000 + 1)
        assert text == "y" * 64
    # A random one: the mean of x over it is near that over all rows (three standard errors).
    mean = statistics.fmean(float(cells[0] or 0) for cells in sample.cells)
    assert mean == pytest.approx(1499.5, abs=3 * 866 / 1000**0.5)


def test_columns_missing_together() -> None:
    found = profile_of(
        a=(ColumnType.FLOAT, [1.0, None, math.nan, 4.0, 5.0]),
        b=(ColumnType.STRING, ["x", None, None, None, "x"]),
        c=(ColumnType.INTEGER, [1, 2, 3, 4, 5]),
    )
    assert found.patterns.columns == ("a", "b")
    assert found.patterns.top(5) == [(("a", "b"), 2), (("b",), 1)]


def test_too_many_patterns_are_not_kept() -> None:
    rng = random.Random(1)
    columns = {
        f"c{n}": (ColumnType.INTEGER, [rng.choice([1, None]) for _ in range(900)])
        for n in range(12)
    }
    found = profile_of(**columns).patterns
    assert found.counts is None
    assert len(found.columns) == 12


def grouped(rows: int, groups: int, labels: int, sensitive: tuple[str, ...] = ()) -> Profile:
    kinds = {"group": ColumnType.STRING, "label": ColumnType.INTEGER, "when": ColumnType.DATE}
    columns = {
        "group": [None if n % 10 == 9 else f"g{n % groups}" for n in range(rows)],
        "label": [n % labels for n in range(rows)],
        "when": [None] * rows,
    }
    given = table(kinds, columns, ["part.csv"] * rows)
    return profile(given, kinds, sensitive, Grouping(("group",), "label"))


def test_groups_and_labels_are_counted_exactly() -> None:
    [cells] = grouped(20, 2, 2).cells
    assert cells.counts == ((None, 1, 2), ("g0", 0, 10), ("g1", 1, 8))


@pytest.mark.parametrize(("groups", "labels"), [(51, 2), (2, 21)])
def test_too_many_groups_or_labels_are_not_kept(groups: int, labels: int) -> None:
    [cells] = grouped(900, groups, labels).cells
    assert cells.counts is None


@pytest.mark.parametrize(
    ("grouping", "complaint"),
    [
        (Grouping(("nothing",)), "no column 'nothing'"),
        (Grouping(("open",), "nothing"), "no column 'nothing'"),
        (Grouping(("group",)), "'group' is sensitive"),
        (Grouping(("when",)), "'when' is Date"),
    ],
)
def test_a_grouping_that_cannot_be_is_refused(grouping: Grouping, complaint: str) -> None:
    kinds = {"group": ColumnType.STRING, "open": ColumnType.STRING, "when": ColumnType.DATE}
    rows = table(kinds, {"group": ["a"], "open": ["b"], "when": [None]}, ["part.csv"])
    with pytest.raises(Failure, match=complaint):
        profile(rows, kinds, ["group"], grouping)


def test_names_are_quoted() -> None:
    name = 'a"; DROP VIEW rows; --'
    kinds = {name: ColumnType.STRING}
    found = profile(table(kinds, {name: ["x", None]}, ["part.csv"] * 2), kinds)
    assert found.columns[0].values == (("x", 1),)


def test_many_columns() -> None:
    kinds = {f"c{n}": ColumnType.FLOAT for n in range(600)}
    columns = {name: [float(place), None, 1.5] for place, name in enumerate(kinds)}
    found = profile(table(kinds, columns, ["part.csv"] * 3), kinds)
    assert len(found.columns) == 600
    assert found.columns[599].values == ((1.5, 1), (599.0, 1))
    assert len(found.sample.names) == 500


def test_buckets_stay_few_and_hold_their_values() -> None:
    values = np.concatenate([RNG.lognormal(0, 30, 30_000), -RNG.lognormal(0, 30, 30_000)])
    spread = column(ColumnType.FLOAT, values).spread
    assert spread is not None
    low, high = spread.edges()
    assert (low < high).all()
    assert (low[1:] >= high[:-1] * (1 - 1e-9 * np.sign(high[:-1]))).all()
    assert spread.level == histogram.COARSEST
    inside = [((values >= a) & (values < b)).sum() for a, b in zip(low, high, strict=True)]
    assert abs(np.array(inside) - spread.counts).sum() <= 4
