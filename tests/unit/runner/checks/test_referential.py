"""Keys that must be in another Dataset: tables, and Polars as an independent oracle."""

from collections.abc import Mapping
from typing import Any

import duckdb
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.runner.checks.test_properties import DTYPES, agree, few, frame, tables
from tests.unit.runner.checks.world import KINDS, World, found

from tidemill_runner.checks import referential
from tidemill_runner.checks.outcome import Outcome
from tidemill_runner.checks.parse import parse
from tidemill_runner.checks.rule import Exists
from tidemill_runner.failures import Failure
from tidemill_runner.schema import Column, ColumnType, Schema

VERSION = "sha256:" + "a" * 64
NAN = float("nan")


def spec(columns: list[str], **more: Any) -> dict[str, Any]:
    other = {"name": "sites", "version": VERSION, "manifest": "k"}
    return {"name": "known", "referential": {"columns": columns, "dataset": other, **more}}


def check(world: World, known: Mapping[str, list[Any]], **more: Any) -> Outcome:
    """The outcome against the columns `known`, which are a Parquet file as one is staged."""
    (rule,) = parse(None, [spec(list(known), **more)], world.schema).rules
    assert isinstance(rule, Exists)
    columns = [Column(name, KINDS[name], nullable=True) for name in known]
    table = pl.DataFrame(
        {name: pl.Series(values, dtype=DTYPES[name]) for name, values in known.items()}
    ).to_arrow()
    world.connection.register("given", table)
    world.connection.execute("CREATE TABLE known_rows AS FROM given")
    lookup = referential.keys(columns, []).replace("read_parquet([])", "known_rows")
    (outcome,) = world.outcomes([spec(list(known), **more)], lookup=lookup)
    return outcome


@pytest.mark.parametrize(
    ("own", "known", "expected", "where"),
    [
        pytest.param({"i": [1, 2]}, {"i": [2, 1, 3]}, (2, 0), (), id="all there"),
        pytest.param({"i": [1, 4, 4]}, {"i": [1]}, (3, 2), (("a.csv", 2), ("b.csv", 1)), id="none"),
        pytest.param({"i": [None, 1]}, {"i": [1]}, (1, 0), (), id="a gap is not judged"),
        pytest.param({"i": [None]}, {"i": [None]}, (0, 0), (), id="only gaps"),
        pytest.param({"i": [1]}, {"i": [None]}, (1, 1), (("a.csv", 1),), id="a gap is no key"),
        pytest.param({"i": [1]}, {"i": []}, (1, 1), (("a.csv", 1),), id="no keys"),
        pytest.param({"i": []}, {"i": [1]}, (0, 0), (), id="no rows"),
        pytest.param({"f": [NAN, 0.0]}, {"f": [NAN, -0.0]}, (1, 0), (), id="NaN, zeros"),
        pytest.param(
            {"i": [1, 2], "s": ["a", "a"]},
            {"i": [1, 2], "s": ["a", "b"]},
            (2, 1),
            (("a.csv", 2),),
            id="together",
        ),
        pytest.param({"i": [1], "s": [None]}, {"i": [2], "s": ["b"]}, (0, 0), (), id="half a key"),
    ],
)
def test_keys(own: Any, known: Any, expected: Any, where: Any) -> None:
    outcome = check(World(own, size=2), known)
    assert (found(outcome), outcome.where) == (expected, where)


@few
@pytest.mark.parametrize("names", [*"ifbsdt", "bd"])
@given(data=st.data())
def test_keys_as_an_oracle_has_them(names: str, data: st.DataObject) -> None:
    own, known = data.draw(tables(names)), data.draw(tables(names))
    keys, others = frame(own), frame(known)
    if "f" in names:  # the two zeros are one number
        keys, others = (part.with_columns(pl.col("f") + 0.0) for part in (keys, others))
    there = keys.select(pl.all_horizontal(pl.all().is_not_null())).to_series()
    left = keys.with_row_index("n").filter(there)
    bad = set(left.join(others, on=list(names), how="anti")["n"].to_list())
    violated = pl.Series([n in bad for n in range(len(keys))], dtype=pl.Boolean)
    agree(World(own, size=3), check(World(own, size=3), known), there, violated)


def test_it_is_told_by_row_and_version_and_never_by_value() -> None:
    outcome = check(World({"s": ["Rumpelstiltskin"]}), {"s": ["Ada"]})
    assert not outcome.passed
    assert outcome.message == (
        "spec.checks[0].referential: 1 of 1 rows have a key that version aaaaaaaaaaaa of Dataset "
        "sites has not, at a.csv, data row 1"
    )


SITES = Schema(
    (
        Column("site", ColumnType.STRING, nullable=False),
        Column("i", ColumnType.STRING, nullable=False),
    )
)


@pytest.mark.parametrize(
    ("more", "tells"),
    [
        ({}, "referential.columns[0]: column 'i' is Integer, 'i' of Dataset sites is String: cast"),
        (
            {"references": ["sight"]},
            "referential.references[0]: Dataset sites has no column 'sight'; did you mean 'site'?",
        ),
    ],
    ids=["another type", "no such column"],
)
def test_what_cannot_be_compared_is_refused(more: Any, tells: str) -> None:
    (rule,) = parse(None, [spec(["i"], **more)], World({"i": [1]}).schema).rules
    assert isinstance(rule, Exists)
    with pytest.raises(Failure) as refused:
        referential.theirs(rule, SITES)
    assert refused.value.reason == "CheckInvalid"
    assert tells in refused.value.message


def test_more_keys_than_memory_holds_are_compared(tmp_path: Any) -> None:
    world = World({"i": []})
    world.connection = duckdb.connect(
        config={"memory_limit": "64MB", "threads": 1, "temp_directory": str(tmp_path)}
    )
    count = 3_000_000
    world.connection.execute(
        f"CREATE VIEW rows AS SELECT range AS i, 'a.csv' AS __object, range + 1 AS __row "  # noqa: S608
        f"FROM range({count})"
    )
    lookup = f"SELECT range AS k0 FROM range(1, {count})"  # noqa: S608 - a number
    (outcome,) = world.outcomes([spec(["i"])], lookup=lookup)
    assert (found(outcome), outcome.where) == ((count, 1), (("a.csv", 1),))
