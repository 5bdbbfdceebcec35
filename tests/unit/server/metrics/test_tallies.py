"""Counts of ours say to Prometheus what those of its own client would."""

import random

from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest

from tidemill_server.metrics.tallies import Counts, Reading, Spread

BOUNDS = (0.5, 1.0, 2.5, 10.0)


def text(registry: CollectorRegistry) -> list[str]:
    """Without the times at which the client's own began."""
    lines = generate_latest(registry).decode().splitlines()
    return [line for line in lines if "_created" not in line]


def test_they_read_as_those_of_the_client() -> None:
    theirs, ours = CollectorRegistry(), CollectorRegistry()
    counter = Counter("asked", "Questions.", ["outcome"], registry=theirs)
    histogram = Histogram("seconds", "Time.", buckets=BOUNDS, registry=theirs)
    total = Counter("rows", "Rows.", registry=theirs)
    counts = Counts("asked", "Questions.", "outcome", ("ok", "error"))
    spread = Spread("seconds", "Time.", BOUNDS)
    for one in (counts, spread, Reading("rows", "Rows.", lambda: spread.total)):
        ours.register(one)
    for word in ("ok", "error"):
        counter.labels(word)
    chance = random.Random(3)
    for value in (*BOUNDS, 0.0, 99.0, *(chance.uniform(0, 12) for _ in range(200))):
        word = "ok" if value < 6 else "error"
        counter.labels(word).inc()
        counts.of[word] += 1
        histogram.observe(value)
        spread.observe(value)
        total.inc(value)
    assert text(ours) == text(theirs)
