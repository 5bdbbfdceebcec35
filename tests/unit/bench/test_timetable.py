"""Requests are due whether they are answered or not, and their waiting counts."""

import math
from array import array

import pytest
from tests.bench.timetable import Due, Question, Rush, Tally, Timetable, quantiles, slope

ONE, TWO = Question("one", b"1"), Question("two", b"2", status=400)


def test_each_is_due_once_and_at_its_time() -> None:
    table = Timetable([ONE, TWO], rate=10.0, began=100.0, seconds=1.0)
    early = list(table.due(100.25, room=0))
    assert [due.at for due in early] == pytest.approx([100.0, 100.1, 100.2])
    assert [due.question.kind for due in early] == ["one", "two", "one"]
    assert table.next == pytest.approx(100.3)
    assert not list(table.due(100.25, room=9))
    assert len(list(table.due(200.0, room=0))) == 7
    assert table.ended
    assert table.next == math.inf


def test_a_rush_gives_as_many_as_there_is_room_for() -> None:
    table = Rush([ONE, TWO], began=5.0, seconds=1.0)
    assert [due.at for due in table.due(5.5, room=3)] == [5.5] * 3
    assert not table.ended
    assert not list(table.due(6.0, room=3))
    assert table.ended


def test_time_counts_from_when_it_was_due() -> None:
    tally = Tally()
    tally.answered(Due(ONE, 10.0), 200, 10.25)
    tally.answered(Due(TWO, 10.0), 200, 10.5)
    tally.failed(Due(ONE, 10.0), "no answer")
    assert list(tally.took["one"]) == [250.0]
    assert tally.answers == 2
    assert tally.errors == {"two: 200 instead of 400": 1, "one: no answer": 1}


def test_quantiles_are_of_all_kinds_together() -> None:
    times = {"few": array("f", range(1, 11)), "many": array("f", range(11, 1001))}
    assert quantiles(times) == {"p50": 500.0, "p99": 990.0, "p99.9": 999.0, "max": 1000.0}


@pytest.mark.parametrize("times", [{}, {"none": array("f")}], ids=["no kind", "no time"])
def test_of_nothing_there_are_none(times: dict[str, "array[float]"]) -> None:
    assert quantiles(times) == {}


SLOPES = {
    "level": ([(0, 5), (1, 5), (2, 5)], 0, 0.0),
    "two a minute": ([(0, 1), (1, 3), (2, 5)], 0, 2.0),
    "noise that cancels": ([(0, 1), (1, 0), (2, 0), (3, 1)], 0, 0.0),
    "what is before the start does not count": ([(0, 900), (1, 10), (2, 11), (3, 12)], 1, 1.0),
    "one sample": ([(0, 7), (5, 9)], 1, 0.0),
    "nothing": ([], 0, 0.0),
}


@pytest.mark.parametrize(("samples", "start", "wanted"), SLOPES.values(), ids=SLOPES)
def test_the_slope(samples: list[tuple[float, float]], start: float, wanted: float) -> None:
    assert slope(samples, start) == pytest.approx(wanted)
