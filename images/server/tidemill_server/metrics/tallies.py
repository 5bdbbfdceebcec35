"""Counts that cost a request next to nothing: plain numbers, in words when they are asked for.

Those of `prometheus_client` are made for threads, and lock for each. Here the event loop alone
counts; what reads is the event loop as well.
"""

from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator, Sequence

from prometheus_client.core import CounterMetricFamily, HistogramMetricFamily
from prometheus_client.registry import Collector


class Counts(Collector):
    """A counter for each of a few words."""

    def __init__(self, name: str, meaning: str, label: str, words: Iterable[str]) -> None:
        self._name, self._meaning, self._label = name, meaning, label
        self.of = dict.fromkeys(map(str, words), 0)

    def collect(self) -> Iterator[CounterMetricFamily]:
        family = CounterMetricFamily(self._name, self._meaning, labels=[self._label])
        for word, count in self.of.items():
            family.add_metric([word], count)
        yield family


class Spread(Collector):
    """A histogram. `counts` has one more than `bounds`: those above them all."""

    def __init__(self, name: str, meaning: str, bounds: Sequence[float]) -> None:
        self._name, self._meaning, self._bounds = name, meaning, bounds
        self.counts = [0] * (len(bounds) + 1)
        self.total = 0.0

    def observe(self, value: float) -> None:
        # A bound belongs to its own bucket: `le` says less or equal.
        self.counts[bisect_left(self._bounds, value)] += 1
        self.total += value

    def buckets(self) -> list[tuple[str, int]]:
        """How many were at most so large, for each bound."""
        found, count = [], 0
        for bound, here in zip((*self._bounds, float("inf")), self.counts, strict=True):
            count += here
            found.append(("+Inf" if bound == float("inf") else str(float(bound)), count))
        return found

    def collect(self) -> Iterator[HistogramMetricFamily]:
        yield HistogramMetricFamily(
            self._name, self._meaning, buckets=self.buckets(), sum_value=self.total
        )


class Reading(Collector):
    """A counter that is kept elsewhere, and read when it is asked for."""

    def __init__(self, name: str, meaning: str, read: Callable[[], float]) -> None:
        self._name, self._meaning, self._read = name, meaning, read

    def collect(self) -> Iterator[CounterMetricFamily]:
        yield CounterMetricFamily(self._name, self._meaning, value=self._read())
