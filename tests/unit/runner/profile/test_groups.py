"""Representation and label rates, with their intervals and what is suppressed."""

import pytest
from tests.unit.runner.profile.tables import profile, table

from tidemill.stats.intervals import wilson
from tidemill_runner.profile.groups import Group, Share, representation
from tidemill_runner.profile.measure import Grouping
from tidemill_runner.schema import ColumnType


def groups(
    rows: list[tuple[str | None, bool | None]], reference: dict[str, float] | None = None
) -> list[Group]:
    kinds = {"site": ColumnType.STRING, "bought": ColumnType.BOOLEAN}
    columns = {"site": [row[0] for row in rows], "bought": [row[1] for row in rows]}
    given = table(kinds, columns, ["part.csv"] * len(rows))
    [cells] = profile(given, kinds, grouping=Grouping(("site",), "bought")).cells
    return representation(cells, reference)


def test_shares_and_rates_with_intervals() -> None:
    found = groups([("a", True)] * 60 + [("a", False)] * 40 + [("b", False)] * 100)
    assert [group.name for group in found] == ["a", "b"]
    assert found[0].share == Share(0.5, *wilson(100, 200), 200)
    assert found[0].rates == (
        ("false", Share(0.4, *wilson(40, 100), 100)),
        ("true", Share(0.6, *wilson(60, 100), 100)),
    )


@pytest.mark.parametrize(("rows", "shown"), [(19, False), (20, True)])
def test_small_cells_are_suppressed(rows: int, shown: bool) -> None:
    found = groups([("a", False)] * 500 + [("a", True)] * rows + [("b", False)] * rows)
    assert (dict(found[0].rates)["true"] is not None) is shown
    assert (found[1].share is not None) is shown


def test_missing_groups_and_labels_are_not_counted() -> None:
    found = groups([("a", True)] * 50 + [("a", None)] * 50 + [(None, True)] * 900)
    assert found == [
        Group(
            "a",
            Share(1.0, *wilson(100, 100), 100),
            None,
            (("true", Share(1.0, *wilson(50, 50), 50)),),
        )
    ]


@pytest.mark.parametrize(
    ("declared", "outside"), [({"a": 0.5}, False), ({"a": 0.42}, True), ({"a": 0.58}, True)]
)
def test_the_reference_is_held_against_the_interval(
    declared: dict[str, float], outside: bool
) -> None:
    [a, _] = groups([("a", True)] * 500 + [("b", True)] * 500, declared)
    assert a.share is not None
    assert a.reference is not None
    assert a.share.excludes(a.reference) is outside


def test_a_group_that_is_declared_and_absent_is_named() -> None:
    found = groups([("a", True)] * 50, {"a": 0.5, "z": 0.5})
    assert (found[1].name, found[1].share, found[1].reference) == ("z", None, 0.5)
