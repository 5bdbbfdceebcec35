"""What the operator's process has used so far: processor time, memory, work done."""

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from prometheus_client.parser import text_string_to_metric_families

TICKS = os.sysconf("SC_CLK_TCK")
Labels = Mapping[str, str]
NO_LABELS: Labels = {}


@dataclass(frozen=True)
class Usage:
    """Seconds of processor time; MiB of resident memory, now and at most since its start."""

    cpu: float
    rss: float
    peak: float


def usage(proc: Callable[[str], str]) -> Usage:
    """Read it from /proc."""
    fields = proc("stat").rpartition(")")[2].split()
    memory = dict(line.split(":", 1) for line in proc("status").splitlines() if ":" in line)
    rss, peak = (int(memory[name].split()[0]) / 1024 for name in ("VmRSS", "VmHWM"))
    return Usage(sum(map(int, fields[11:13])) / TICKS, rss, peak)


class Samples:
    """One reading of the operator's metrics."""

    def __init__(self, text: str) -> None:
        self._all = [
            sample for family in text_string_to_metric_families(text) for sample in family.samples
        ]

    def total(self, name: str, labels: Labels = NO_LABELS) -> float:
        """Add up the samples of a name that have these labels."""
        return sum(
            sample.value
            for sample in self._all
            if sample.name == name and labels.items() <= sample.labels.items()
        )

    def buckets(self, name: str, labels: Labels = NO_LABELS) -> list[tuple[float, float]]:
        """Give a histogram: upper bounds and cumulative counts."""
        found: dict[float, float] = {}
        for sample in self._all:
            if sample.name == f"{name}_bucket" and labels.items() <= sample.labels.items():
                bound = float(sample.labels["le"])
                found[bound] = found.get(bound, 0.0) + sample.value
        return sorted(found.items())


def quantile(
    share: float, before: Samples, after: Samples, name: str, labels: Labels = NO_LABELS
) -> float:
    """Estimate a quantile of what came between two readings, as Prometheus does."""
    first = dict(before.buckets(name, labels))
    counts = [(bound, n - first.get(bound, 0.0)) for bound, n in after.buckets(name, labels)]
    wanted = share * counts[-1][1] if counts else 0.0
    low, below = 0.0, 0.0
    for bound, count in counts:
        if count >= wanted and count > below:
            if bound == float("inf"):
                return low
            return low + (bound - low) * (wanted - below) / (count - below)
        low, below = bound, count
    return low
