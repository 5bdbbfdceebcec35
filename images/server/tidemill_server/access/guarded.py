"""The server behind a guard: what anybody may ask, and what only those who may."""

from collections.abc import Awaitable
from typing import Protocol

from tidemill_server.access.guard import Guard
from tidemill_server.accounts import Accounts
from tidemill_server.answers import Answer, error_answer
from tidemill_server.metrics.registry import Outcome
from tidemill_server.protocol.errors import ProtocolError
from tidemill_server.rest.request import Request
from tidemill_server.rest.terms import Answerer

# What probes and Prometheus ask: it says nothing of data.
HEALTH = frozenset({"/v2/health/live", "/v2/health/ready", "/metrics"})


class Served(Answerer, Protocol):
    """What answers in the end: models of the server's own, or a container."""

    def is_shown(self, path: str) -> bool:
        """Whether it is of a page, which anybody may ask for."""

    def is_counted(self, path: str) -> bool:
        """Whether a request for it is one for a prediction."""


class Guarded:
    """Answers as another does, whoever may ask."""

    def __init__(self, answerer: Served, guard: Guard, accounts: Accounts) -> None:
        self._answerer = answerer
        self._guard = guard
        self._accounts = accounts

    def answer(self, request: Request) -> Awaitable[Answer]:
        """Answer one request; never raises, unless it is cancelled."""
        path = request.path
        if path not in HEALTH and not self._answerer.is_shown(path):
            try:
                self._guard.check(request.headers)
            except ProtocolError as error:
                if self._answerer.is_counted(path):
                    self._accounts.ended(Outcome.of_error(error))
                return _said(error_answer(error))
        return self._answerer.answer(request)


class HealthOnly:
    """What is answered without TLS where everything else is under it."""

    def __init__(self, answerer: Answerer) -> None:
        self._answerer = answerer

    def answer(self, request: Request) -> Awaitable[Answer]:
        if request.path in HEALTH:
            return self._answerer.answer(request)
        known = ", ".join(sorted(HEALTH))
        message = f"without TLS only {known} are answered: ask over HTTPS"
        return _said(error_answer(ProtocolError(403, message)))


async def _said(answer: Answer) -> Answer:
    return answer
