"""What the API server can answer other than yes.

All of them are `Retry`: a reconcile that does not care lets them pass and comes back with growing
pauses. One that can do better (name the field, choose another reason) catches the class it knows.
"""

from tidemill.engine.errors import Retry


class ApiError(Retry):
    """An answer that is not a success; `status` is the HTTP status, 0 when there was no answer."""

    def __init__(self, message: str, *, status: int = 0, after: float | None = None) -> None:
        """Keep the status for those who must tell answers apart."""
        super().__init__(message, after)
        self.status = status


class NotFound(ApiError):  # noqa: N818 - named like the API's own reason
    """404 on a write: the object, its namespace or its CRD is gone."""


class Conflict(ApiError):  # noqa: N818 - named like the API's own reason
    """409: somebody was faster, or the name is taken. Read again, decide again."""


class Invalid(ApiError):  # noqa: N818 - named like the API's own reason
    """422 or 400: the API server refuses the body; the message names the field."""


class Forbidden(ApiError):  # noqa: N818 - named like the API's own reason
    """401 or 403: a right is missing (the message names it), or admission refuses."""


class Unavailable(ApiError):  # noqa: N818 - named like the API's own reason
    """No answer in time, 429 or 5xx."""
