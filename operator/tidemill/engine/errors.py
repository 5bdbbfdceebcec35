"""The three ways in which a reconcile can fail.

`Retry`: a passing fault; the key comes back with growing pauses. `Stalled`: no retry will help
until somebody acts; it becomes a condition with a reason from the one enum. `Bug`: our own fault;
logged with its traceback and retried like an unknown exception, so that nothing is ever lost.
"""

from tidemill.api.v1alpha1.reasons import Reason


class Retry(Exception):  # noqa: N818 - named for what is to be done
    """A passing fault. `after` sets the pause in seconds; without it, it grows exponentially."""

    def __init__(self, message: str, after: float | None = None) -> None:
        """Keep what is shown in logs and conditions."""
        super().__init__(message)
        self.message = message
        self.after = after


class Stalled(Exception):  # noqa: N818 - named for what the condition will say
    """A fault that somebody must mend: `message` names the thing and the way out."""

    def __init__(self, reason: Reason, message: str) -> None:
        """Keep the reason beside the message."""
        super().__init__(f"{reason.value}: {message}")
        self.reason = reason
        self.message = message


class Bug(Exception):  # noqa: N818 - named for what it is
    """A state that cannot be, if Tidemill is right."""
