"""Who asks: a ServiceAccount of a namespace, proved by a token that is good for this port alone.

The API server makes the token (TokenRequest) and judges it (TokenReview), both for our audience: a
token that was made to speak with the API server is refused here, and one that was made for us is
worthless there. Answers are kept for a minute by the token's hash, never the token.
"""

import asyncio
import hashlib
import re
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from tidemill.data_api.refusal import Refusal
from tidemill.kube.errors import ApiError
from tidemill.kube.resources import TOKEN_REVIEWS, Resource

AUDIENCE = "tidemill.dev"
HEADER = "X-Tidemill-Token"
MAX_TOKEN = 8000
MAX_REMEMBERED = 1000
REMEMBERED_SECONDS = 60.0
# Whoever may reach the port may make the operator ask: that is bounded before anybody is known.
AT_ONCE = 4
MAX_WAITING = 32
_TOKEN = re.compile(r"[A-Za-z0-9_.\-]+")
_ACCOUNT = re.compile(r"system:serviceaccount:([a-z0-9-]+):[a-z0-9.-]+")


class Reviewer(Protocol):
    """The part of the API client that is used."""

    async def create(
        self, resource: Resource, body: dict[str, Any], *, urgent: bool = False
    ) -> dict[str, Any]:
        """Create an object; for a review the answer holds the verdict."""
        ...


@dataclass(slots=True)
class Readers:
    """Tells the namespace of whoever holds a token."""

    reviewer: Reviewer
    clock: Callable[[], float] = time.monotonic
    _known: OrderedDict[str, tuple[float, str | None]] = field(default_factory=OrderedDict)
    _at_once: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(AT_ONCE))
    _waiting: int = 0

    async def namespace(self, token: str) -> str:
        """Give the namespace that the token's ServiceAccount is in; raises Refusal."""
        if not token:
            raise Refusal(401, f"the header {HEADER} is missing: use `kubectl tidemill`")
        if len(token) > MAX_TOKEN or not _TOKEN.fullmatch(token):
            raise _invalid()
        name = hashlib.sha256(token.encode()).hexdigest()
        until, found = self._known.get(name, (0.0, None))
        if until <= self.clock():
            found = await self._review(token)
            self._remember(name, found)
        if found is None:
            raise _invalid()
        return found

    async def _review(self, token: str) -> str | None:
        if self._waiting >= MAX_WAITING:
            raise Refusal(429, "too many requests at once: try again", retry_after=1)
        spec = {"token": token, "audiences": [AUDIENCE]}
        body = {
            "apiVersion": TOKEN_REVIEWS.api_version,
            "kind": TOKEN_REVIEWS.kind,
            "spec": spec,
        }
        self._waiting += 1
        try:
            async with self._at_once:
                # Urgent: it writes nothing, so it neither waits for writes nor is counted as one.
                answer = await self.reviewer.create(TOKEN_REVIEWS, body, urgent=True)
        except ApiError as error:
            why = "the operator cannot have the token checked: try again"
            raise Refusal(503, why, retry_after=5) from error
        finally:
            self._waiting -= 1
        return reader(answer.get("status") or {})

    def _remember(self, name: str, found: str | None) -> None:
        self._known[name] = self.clock() + REMEMBERED_SECONDS, found
        self._known.move_to_end(name)
        while len(self._known) > MAX_REMEMBERED:
            self._known.popitem(last=False)


def reader(status: Mapping[str, Any]) -> str | None:
    """Give the namespace of the ServiceAccount that a review names; None for everybody else."""
    # An API server that knows no audiences says so by naming none.
    if status.get("authenticated") is not True or AUDIENCE not in (status.get("audiences") or ()):
        return None
    user = status.get("user") or {}
    account = _ACCOUNT.fullmatch(str(user.get("username", "")))
    if account is None or f"system:serviceaccounts:{account[1]}" not in (user.get("groups") or ()):
        return None
    return account[1]


def _invalid() -> Refusal:
    return Refusal(
        401, f"the token is not valid: it must be a ServiceAccount's, for audience {AUDIENCE}"
    )
