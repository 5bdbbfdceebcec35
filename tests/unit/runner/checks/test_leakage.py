"""Columns that tell the target alone are named; those that help, or tell by chance, are not."""

import random
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.runner.checks.test_properties import few
from tests.unit.runner.checks.world import World

from tidemill_runner.checks.outcome import Outcome
from tidemill_runner.checks.rule import Severity
from tidemill_runner.profile import leakage
from tidemill_runner.schema import ColumnType

COUNT = 600
chance = random.Random(7)
NOISE = [chance.random() for _ in range(COUNT)]
CLASSES = [chance.choice("abc") for _ in range(COUNT)]
RARE = ["bad" if n % 10 == 0 else "good" for n in range(COUNT)]
FLOAT, TEXT, WHOLE = ColumnType.FLOAT, ColumnType.STRING, ColumnType.INTEGER
START = datetime(2026, 1, 1, tzinfo=UTC)


def check(
    target: list[Any], column: list[Any], kinds: tuple[ColumnType, ColumnType], **asked: Any
) -> Outcome:
    columns = {"y": target, "x": column}
    world = World(columns, dict(zip(columns, kinds, strict=True)), size=5000)
    return world.check(leakage={"target": "y", **asked})


@pytest.mark.parametrize(
    ("target", "column", "kinds"),
    [
        pytest.param(CLASSES, CLASSES, (TEXT, TEXT), id="the same"),
        pytest.param(CLASSES, ["abc".index(c) for c in CLASSES], (TEXT, WHOLE), id="coded"),
        pytest.param(
            CLASSES,
            [f"{c}{int(n * 9)}" for c, n in zip(CLASSES, NOISE, strict=True)],
            (TEXT, TEXT),
            id="within a finer one",
        ),
        pytest.param(
            RARE,
            [None if r == "good" else START + timedelta(n) for n, r in enumerate(RARE)],
            (TEXT, ColumnType.TIMESTAMP),
            id="by being missing",
        ),
        pytest.param(
            RARE,
            [n + (r == "bad") for n, r in zip(NOISE, RARE, strict=True)],
            (TEXT, FLOAT),
            id="above a limit",
        ),
        pytest.param(
            RARE,
            [None if r == "good" else f"ticket-{n}" for n, r in enumerate(RARE)],
            (TEXT, TEXT),
            id="an id that only some have",
        ),
        pytest.param(NOISE, [3 - n * 2 for n in NOISE], (FLOAT, FLOAT), id="a number, rescaled"),
    ],
)
def test_what_tells_the_target_is_named(
    target: list[Any], column: list[Any], kinds: tuple[ColumnType, ColumnType]
) -> None:
    outcome = check(target, column, kinds, threshold="0.9")
    assert (outcome.passed, outcome.severity) == (False, Severity.WARN)
    assert "'x' by " in outcome.message


@pytest.mark.parametrize(
    ("target", "column", "kinds"),
    [
        pytest.param(CLASSES, NOISE, (TEXT, FLOAT), id="chance"),
        pytest.param(CLASSES, list(range(COUNT)), (TEXT, WHOLE), id="an id"),
        pytest.param(CLASSES, [f"id-{n}" for n in range(COUNT)], (TEXT, TEXT), id="a text id"),
        pytest.param(
            CLASSES,
            [c if n < 0.8 else "a" for c, n in zip(CLASSES, NOISE, strict=True)],
            (TEXT, TEXT),
            id="a good feature",
        ),
        pytest.param(CLASSES, ["k"] * COUNT, (TEXT, TEXT), id="a constant"),
        pytest.param(CLASSES, [None] * COUNT, (TEXT, FLOAT), id="nothing"),
        pytest.param(NOISE, list(range(COUNT)), (FLOAT, WHOLE), id="a number and an id"),
    ],
)
def test_what_does_not_tell_it_is_not(
    target: list[Any], column: list[Any], kinds: tuple[ColumnType, ColumnType]
) -> None:
    outcome = check(target, column, kinds, threshold="0.9")
    assert outcome.passed
    assert outcome.evaluated == 1


@pytest.mark.parametrize(
    ("target", "column"),
    [(["a"] * 99, ["b"] * 99), (["a", "b"] * 9, ["a", "b"] * 9), ([None] * 50, ["a"] * 50)],
    ids=["one value", "few rows", "no target"],
)
def test_where_nothing_can_be_said_it_is_said(target: list[Any], column: list[Any]) -> None:
    outcome = check(target, column, (TEXT, TEXT))
    assert outcome.passed
    assert "too few rows" in outcome.message


def test_the_strongest_come_first_with_no_value_told() -> None:
    weaker = ["a" if n < 0.1 else c for n, c in zip(NOISE, CLASSES, strict=True)]
    columns = {"y": CLASSES, "x": weaker, "z": CLASSES, "n": NOISE}
    world = World(columns, {"y": TEXT, "x": TEXT, "z": TEXT, "n": FLOAT}, size=5000)
    outcome = world.check(leakage={"target": "y", "threshold": "0.6"}, severity="Fail")
    assert outcome.severity is Severity.FAIL
    told = outcome.message
    assert told.startswith("spec.checks[0].leakage: 2 of 3 columns tell 'y' alone: 'z' by 1.000, ")
    assert told.index("'z'") < told.index("'x'")


def test_the_same_rows_in_another_order_give_the_same() -> None:
    world = World({"i": []}, {"i": WHOLE})
    making = (
        "SELECT (range * 7919) % 3 AS i, (range * 7919) % 3 + 3 * (range % 11) AS copy, "
        "'a.csv' AS __object, range + 1 AS __row FROM range(100000)"
    )
    spec = {"leakage": {"target": "i", "threshold": "0.9"}}
    told = []
    for order in ("__row", "hash(__row)"):
        other = World({"i": [], "copy": []}, {"i": WHOLE, "copy": WHOLE})
        other.connection.execute("DROP VIEW rows")
        other.connection.execute(f"CREATE TABLE rows AS FROM ({making}) ORDER BY {order}")
        told.append(other.check(**spec))
    assert told[0] == told[1]
    assert "'copy' by 1.000" in told[0].message
    assert world.check(**spec).passed


@few
@given(
    rows=st.lists(
        st.tuples(st.integers(0, 3), st.integers(0, 2), st.booleans()), min_size=90, max_size=200
    )
)
def test_the_measure_is_as_an_oracle_has_it(rows: list[tuple[int, int, bool]]) -> None:
    column, target, half = (np.array(part) for part in zip(*rows, strict=True))
    table = pl.DataFrame({"x": column, "y": target, "half": half})
    parts = []
    if half.all() or not half.any():
        assert leakage.strength(lambda _: column, target, half) is None
        return
    for learn in (True, False):
        seen, judged = (table.filter(pl.col("half") == side) for side in (learn, not learn))
        fallback = seen.group_by("y").len().sort("len", "y", descending=[True, False])["y"][0]
        guess = (
            seen.group_by("x", "y")
            .len()
            .sort("len", "y", descending=[True, False])
            .unique("x", keep="first", maintain_order=True)
            .select("x", guess="y")
        )
        wrong = judged.join(guess, on="x", how="left").filter(
            pl.col("guess").fill_null(fallback) != pl.col("y")
        )
        errors = len(judged) - judged.group_by("y").len()["len"].max()  # type: ignore[operator]
        parts.append((errors, len(wrong)))
    told = leakage.strength(lambda _: column, target, half)
    if min(errors for errors, _ in parts) < leakage.MIN_ERRORS:
        assert told is None
    else:
        oracle = sum(1 - wrong / errors for errors, wrong in parts) / 2
        assert told == pytest.approx(max(oracle, 0))
