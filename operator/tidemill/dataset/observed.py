"""The facts about a Dataset that a decision is made from."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from tidemill.api.v1alpha1.reasons import Reason
from tidemill.children.pods import Diagnosis
from tidemill.dataset import references
from tidemill.dataset.references import Pin
from tidemill.jobs.view import JobView


@dataclass(frozen=True, slots=True)
class Listing:
    """The data objects of the source.

    `settled` where the fingerprint is of the content itself: no delivery can be half written, and
    nothing changes unseen; or where only the Job sees anything. `weak` where two contents may have
    one fingerprint. `snapshot` where all is read in one transaction: nobody need wait until writing
    ends. `pins` are the versions of other Datasets that are read beside it.
    """

    fingerprint: str
    objects: int
    bytes: int
    settled: bool = False
    weak: bool = False
    snapshot: bool = False
    pins: tuple[Pin, ...] = ()

    def ready(self, settle_seconds: float) -> bool:
        """Tell whether it may be read without a second look: there is nothing to wait for."""
        return self.settled or (self.snapshot and (self.weak or not settle_seconds))

    @property
    def mark(self) -> str:
        """Tell one state of all that is read from another; without pins it is the fingerprint."""
        return references.mark(self.fingerprint, self.pins)


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

    source: Listing | SourceProblem | None  # None: not looked at, between the times of a schedule
    jobs: tuple[JobView, ...] = ()
    # Of the Job for the present listing only:
    result: Mapping[str, Any] | None = None
    trouble: Diagnosis | None = None
    # When the look at the source began, where that is not now.
    began: datetime | None = None
