"""The facts about a TrainingRun that a decision is made from."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tidemill.children.pods import Diagnosis
from tidemill.jobs.kueue import Waiting
from tidemill.jobs.progress import Report
from tidemill.jobs.view import JobView


@dataclass(frozen=True, slots=True)
class DatasetFacts:
    """A Dataset that the run names: its newest version, and whether the one asked for exists."""

    latest: str | None
    has_version: bool = False


@dataclass(frozen=True, slots=True)
class Observed:
    """The world as `decide` sees it; `dataset` is None when there is none.

    `tables` are the Datasets that the run joins, in the order of the spec; `waiting` says why its
    Job waits in a queue.
    """

    dataset: DatasetFacts | None
    job: JobView | None = None
    result: Mapping[str, Any] | None = None
    trouble: Diagnosis | None = None
    report: Report | None = None
    tables: tuple[DatasetFacts | None, ...] = ()
    waiting: Waiting | None = None
