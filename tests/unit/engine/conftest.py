"""Fixtures of the engine's tests: queues whose chance is not chance."""

from random import Random

import pytest

from tidemill.engine.key import Key
from tidemill.engine.queue import Backoff, Queue


class Highest(Random):
    """Draws the upper bound, always: pauses become what a test can compute."""

    def uniform(self, a: float, b: float) -> float:  # noqa: ARG002
        return b


@pytest.fixture
def highest() -> Random:
    """Give the chance that always draws the upper bound."""
    return Highest()


@pytest.fixture
def queue(highest: Random) -> Queue:
    """Give an empty queue with computable pauses."""
    return Queue(Backoff(random=highest))


@pytest.fixture
def key() -> Key:
    """Give one key."""
    return Key("TrainingRun", "default", "a")
