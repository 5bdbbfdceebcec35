"""The facts about a Dataset that a decision is made from."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tidemill.api.v1alpha1.reasons import Reason
from tidemill.children.pods import Diagnosis
from tidemill.jobs.view import JobView


@dataclass(frozen=True, slots=True)
class Listing:
    """The data objects of the source.

    `settled` where the fingerprint is of the content itself: no delivery can be half written, and
    nothing changes unseen. `weak` where two contents may have one fingerprint.
    """

    fingerprint: str
    objects: int
    bytes: int
    settled: bool = False
    weak: bool = False


@dataclass(frozen=True, slots=True)
class SourceProblem:
    """Why the source cannot be listed.

    `passing` when it may heal without anybody acting; `waits` when it is no fault, and the change
    that ends it wakes the Dataset.
    """

    reason: Reason
    message: str
    passing: bool = False
    waits: bool = False


@dataclass(frozen=True, slots=True)
class Observed:
    """The world as `decide` sees it."""

    source: Listing | SourceProblem
    jobs: tuple[JobView, ...] = ()
    # Of the Job for the present listing only:
    result: Mapping[str, Any] | None = None
    trouble: Diagnosis | None = None
