"""What a reconcile wants next: nothing, or another look after some time.

`Result.after` replaces every timer: deadlines, poll intervals and cool-downs are all "look again
at". Anything else that must happen later is brought by an event or by the resync.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Result:
    """The end of a reconcile that did not fail."""

    requeue_after: float | None = None

    @classmethod
    def done(cls) -> "Result":
        """Say that the next event or resync is soon enough."""
        return cls()

    @classmethod
    def after(cls, seconds: float) -> "Result":
        """Ask for another look in `seconds`; an earlier event replaces it."""
        return cls(requeue_after=max(0.0, seconds))
