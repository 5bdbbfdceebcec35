"""Which points are drawn, and which are left out."""

from tests.bench.growth import BYTES, LATENCY, OURS, PEER, RATE, _medians, panels, sizes


def found(value: float) -> dict[str, float]:
    return {LATENCY: value, RATE: 100 * value}


def test_each_size_is_asked_once() -> None:
    every = list(sizes())
    assert len(every) == len(set(every)) == 9
    assert (10, 10_000) in every
    assert (2000, 1) in every


def test_a_point_that_was_once_not_answered_is_none() -> None:
    rounds = {PEER: {(10, 1): [found(1.0), found(9.0), found(2.0)], (2000, 1): [found(3.0)]}}
    refused = {f"{PEER}, 1 × 2,000": "timeout"}
    assert _medians(rounds, refused) == {PEER: {(10, 1): found(2.0)}}


def test_latency_and_rate_over_columns_and_over_rows() -> None:
    every = {
        OURS: {(10, 1): found(1.0), (10, 100): found(2.0), (500, 1): found(3.0)},
        BYTES: {(10, 1): found(4.0), (10, 100): found(5.0)},
        PEER: {(10, 1): found(6.0)},
    }
    by_title = {
        panel.title: {line.name: list(line.points) for line in panel.lines}
        for panel in panels(every)
    }
    assert by_title["latency, ms, one row"] == {OURS: [(10, 1.0), (500, 3.0)], PEER: [(10, 6.0)]}
    assert by_title["requests/s, 16 connections, 10 columns"] == {
        OURS: [(1, 100.0), (100, 200.0)],
        BYTES: [(1, 400.0), (100, 500.0)],
        PEER: [(1, 600.0)],
    }
