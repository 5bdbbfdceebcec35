"""One request to the API server, and what a refusal of it means.

`failure` is the only place where HTTP statuses become errors; messages name verb, resource and
object, because an administrator must be able to write the missing rule from them.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from tidemill.kube.errors import ApiError, Conflict, Forbidden, Invalid, NotFound, Unavailable
from tidemill.kube.resources import Resource

_METHODS = {
    "get": "GET",
    "list": "GET",
    "create": "POST",
    "update": "PUT",
    "patch": "PATCH",
    "delete": "DELETE",
}
_ERRORS: dict[int, type[ApiError]] = {
    400: Invalid,
    401: Forbidden,
    403: Forbidden,
    404: NotFound,
    409: Conflict,
    422: Invalid,
}
MAX_DETAIL = 500


@dataclass(frozen=True, slots=True)
class Request:
    """A verb as in RBAC, on a path."""

    verb: str
    resource: Resource
    path: str
    params: dict[str, str] = field(default_factory=dict)
    body: dict[str, Any] | None = None
    content_type: str = "application/json"

    @property
    def method(self) -> str:
        """Give the HTTP method of the verb."""
        return _METHODS[self.verb]

    def __str__(self) -> str:
        """Read as `patch jobs.batch (/apis/batch/v1/namespaces/default/jobs/x)`."""
        return f"{self.verb} {self.resource} ({self.path})"


def failure(request: Request, status: int, data: bytes, headers: Mapping[str, str]) -> ApiError:
    """Build the error for an answer of 400 or more."""
    kind = _ERRORS.get(status, Unavailable if status == 429 or status >= 500 else ApiError)
    message = f"cannot {request}: {status}: {_detail(data)}"
    return kind(message, status=status, after=_retry_after(headers))


def _detail(data: bytes) -> str:
    """Take the message out of a `Status` object, or the start of whatever came."""
    try:
        body = json.loads(data)
    except ValueError:
        body = None
    detail = body.get("message") if isinstance(body, dict) else None
    return (detail or data.decode(errors="replace")).strip()[:MAX_DETAIL]


def _retry_after(headers: Mapping[str, str]) -> float | None:
    """Read `Retry-After` in seconds; the API server sends no dates."""
    value = headers.get("Retry-After", "")
    return float(value) if value.isdigit() else None
