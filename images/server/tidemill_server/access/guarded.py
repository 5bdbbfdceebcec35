"""The server behind a guard: what anybody may ask, and what only those who may."""

from collections.abc import Awaitable, Callable, Collection

from tidemill_server.access.guard import Guard
from tidemill_server.accounts import Accounts
from tidemill_server.answers import Answer, error_answer
from tidemill_server.metrics.registry import Outcome
from tidemill_server.protocol.errors import ProtocolError
from tidemill_server.rest.request import Request
from tidemill_server.rest.terms import Answerer

# What probes and Prometheus ask: it says nothing of data.
HEALTH = frozenset({"/v2/health/live", "/v2/health/ready", "/metrics"})


class Guarded:
    """Answers as another does, whoever may ask. `open_to_all` are paths, and `is_counted` tells
    of which a request is one for a prediction."""

    def __init__(
        self,
        answerer: Answerer,
        guard: Guard,
        accounts: Accounts,
        *,
        open_to_all: Collection[str],
        is_counted: Callable[[str], bool],
    ) -> None:
        self._answerer = answerer
        self._guard = guard
        self._accounts = accounts
        self._open = frozenset(open_to_all)
        self._is_counted = is_counted

    def answer(self, request: Request) -> Awaitable[Answer]:
        """Answer one request; never raises, unless it is cancelled."""
        if request.path not in self._open:
            try:
                self._guard.check(request.headers)
            except ProtocolError as error:
                if self._is_counted(request.path):
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
