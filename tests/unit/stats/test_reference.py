"""Counts over edges that stay: nothing is lost, parts add up, edges part the rows evenly."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tidemill.stats import reference

NUMBERS = st.lists(
    st.floats(width=32) | st.sampled_from([0.0, 1.0, math.nan, math.inf, -math.inf]), max_size=200
).map(lambda values: np.array(values, dtype=np.float64))


@given(NUMBERS, NUMBERS)
def test_parts_add_up_to_the_whole(one: np.ndarray, two: np.ndarray) -> None:
    both = np.concatenate([one, two])
    edges = reference.edges_of(both)
    whole = reference.count(both, edges)
    summed = reference.count(one, edges).plus(reference.count(two, edges))
    assert (summed.counts == whole.counts).all()
    assert summed.missing == whole.missing
    assert whole.counts.sum() + whole.missing == len(both)


@given(NUMBERS)
def test_the_order_of_rows_changes_nothing(values: np.ndarray) -> None:
    edges = reference.edges_of(values)
    assert np.array_equal(edges, reference.edges_of(values[::-1]))
    assert (np.diff(edges) > 0).all()


@pytest.mark.parametrize(
    ("value", "place"), [(-1.0, 0), (0.0, 1), (0.5, 1), (1.0, 2), (7.0, 2)], ids=str
)
def test_an_edge_belongs_to_what_is_above_it(value: float, place: int) -> None:
    found = reference.count(np.array([value]), np.array([0.0, 1.0]))
    assert found.counts.tolist() == [int(place == n) for n in range(3)]


def test_bins_have_about_as_many_values_each() -> None:
    values = np.random.default_rng(1).lognormal(size=64_000)
    counts = reference.count(values, reference.edges_of(values)).counts
    assert len(counts) == 64
    assert counts.min() >= 990
    assert counts.max() <= 1010


@pytest.mark.parametrize(("rows", "bins"), [(0, 1), (5, 2), (16, 2), (80, 10), (10_000, 64)])
def test_few_rows_have_few_bins(rows: int, bins: int) -> None:
    values = np.arange(rows, dtype=np.float64)
    assert len(reference.count(values, reference.edges_of(values)).counts) == bins


def test_counts_over_other_edges_are_not_added() -> None:
    one = reference.count(np.zeros(1), np.array([0.0]))
    with pytest.raises(ValueError, match="edges"):
        one.plus(reference.count(np.zeros(1), np.array([1.0])))


def test_the_most_frequent_values_are_named_and_the_others_counted() -> None:
    values = ["b", "a", "b", None, math.nan, "c", "d"]
    found = reference.categories(values, most=2)
    assert found.values == (("b", 2), ("a", 1))
    assert (found.other, found.missing) == (2, 2)
