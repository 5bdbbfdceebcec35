"""Wake-ups between objects."""

from tidemill.engine.key import Key
from tidemill.engine.waiters import Waiters

DATASET = Key("Dataset", "default", "d")
A = Key("TrainingRun", "default", "a")
B = Key("TrainingRun", "default", "b")


def test_those_who_wait_are_woken_once() -> None:
    waiters = Waiters()
    waiters.subscribe(DATASET, A)
    waiters.subscribe(DATASET, B)
    waiters.subscribe(DATASET, A)
    assert len(waiters) == 2
    assert waiters.take(DATASET) == {A, B}
    assert waiters.take(DATASET) == frozenset()
    assert len(waiters) == 0


def test_nobody_waits_for_another_object() -> None:
    waiters = Waiters()
    waiters.subscribe(DATASET, A)
    assert waiters.take(Key("Dataset", "other", "d")) == frozenset()
