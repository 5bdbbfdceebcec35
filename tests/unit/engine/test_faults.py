"""Dying at the n-th write."""

import pytest

from tidemill.engine.faults import DieAtWrite


@pytest.mark.parametrize(
    ("at", "writes", "exits"),
    [
        pytest.param(0, 50, [], id="off"),
        pytest.param(1, 1, [77], id="the first"),
        pytest.param(3, 2, [], id="not before"),
        pytest.param(3, 5, [77], id="at the n-th and never again"),
    ],
)
def test_the_process_ends_at_the_nth_write(at: int, writes: int, exits: list[int]) -> None:
    seen: list[int] = []
    die = DieAtWrite(at, seen.append)
    for _ in range(writes):
        die()
    assert seen == exits
