"""The application before a container: what is passed on to it, within which bounds.

A few paths are the server's own, for probes and for Prometheus. Whatever else the container's
protocol has is passed on, with the limits, ids and counts that every model has; what goes wrong on
the way becomes the protocol's error object.
"""

import asyncio
import logging
import re
import time
from collections.abc import Awaitable, Callable

from tidemill_server.accounts import Accounts
from tidemill_server.answers import Answer, error_answer, json_answer, page_answer
from tidemill_server.ids import PredictionIds
from tidemill_server.inference import Inference
from tidemill_server.lifecycle.state import readiness
from tidemill_server.limits.body import read_body
from tidemill_server.metrics.registry import CONTENT_TYPE, Metrics, Outcome
from tidemill_server.protocol.errors import SHOWN_CHARS, ProtocolError, TooLate, bad_request, fault
from tidemill_server.protocol.framing import Framing, read_framing
from tidemill_server.rest.passed import Passed
from tidemill_server.rest.request import Request
from tidemill_server.upstream.container import Container
from tidemill_server.upstream.fields import passed_on
from tidemill_server.upstream.question import Writer
from tidemill_server.upstream.reading import Reply

MODELS = "/v2/models/"
_SERVER = frozenset({"/v2", "/v2/"})
_OURS = b"x-tidemill-"
_READ = frozenset({b"content-length", b"transfer-encoding", b"x-tidemill-timeout-ms"})
_SEPARATORS = re.compile(r"[/\\]")
_WRITTEN_ANEW = frozenset({b"content-length", b"date"})

log = logging.getLogger(__name__)


class Gateway:
    """One container behind its paths."""

    def __init__(
        self,
        container: Container,
        inference: Inference,
        *,
        metrics: Metrics,
        ids: PredictionIds,
        accounts: Accounts,
    ) -> None:
        self._container = container
        self._gate, self._budget = inference.gate, inference.budget
        self._limits = inference.limits
        self._ids = ids
        self._accounts = accounts
        told = container.told
        self._any_path = told.protocol == "Http"
        # Of predictions it is known that they do no harm twice.
        self._writer = Writer(
            told.authority, asked_again=not self._any_path, withheld=container.withheld
        )
        self._own: dict[str, Callable[[], Answer]] = {
            "/v2/health/live": lambda: json_answer({"live": True}),
            "/v2/health/ready": lambda: readiness(container.state, {}),
            "/metrics": lambda: Answer(200, metrics.render(), CONTENT_TYPE),
        }

    def is_shown(self, path: str) -> bool:  # noqa: ARG002
        """Whether anybody may ask for it: there are no pages."""
        return False

    def is_counted(self, path: str) -> bool:
        """Whether a request for it is one that is passed on."""
        return path not in self._own

    def answer(self, request: Request) -> Awaitable[Answer]:
        """Answer one request; never raises, unless it is cancelled."""
        if request.path in self._own:
            return self._tell(request)
        return self._ask(request)

    async def _tell(self, request: Request) -> Answer:
        return page_answer(lambda: self._page(request), request.path)

    def _page(self, request: Request) -> Answer:
        request.check_method("GET", "HEAD")
        return self._own[request.path]()

    async def _ask(self, request: Request) -> Answer:
        started = time.perf_counter()
        prediction = self._ids()
        try:
            self._check_path(request.path)
            answer = await self._bounded(request, prediction)
            outcome = Outcome.of_status(answer.status)
        except ProtocolError as error:
            answer = error_answer(error)
            outcome = Outcome.of_error(error)
        except asyncio.CancelledError:
            self._accounts.ended(Outcome.GONE)
            raise
        except Exception:  # a fault of ours must not reach the client as anything but the protocol
            log.exception("the request failed", extra={"prediction": prediction})
            answer = error_answer(fault())
            outcome = Outcome.ERROR
        answer.prediction = prediction.encode()
        seconds = time.perf_counter() - started
        self._accounts.answered(request.path[:SHOWN_CHARS], answer.status, outcome, seconds)
        return answer

    def _check_path(self, path: str) -> None:
        """Refuse what is not passed on, as it is and as the container may read it."""
        if self._any_path:
            return
        steps = {step.partition(";")[0] for step in _SEPARATORS.split(path)}
        if steps & {".", ".."}:
            raise bad_request("a path with the steps . or .. is not passed on")
        if path not in _SERVER and not path.startswith(MODELS):
            message = f"nothing is answered at {path[:SHOWN_CHARS]!r}: models are below {MODELS}"
            raise ProtocolError(404, message)

    async def _bounded(self, request: Request, prediction: str) -> Answer:
        self._gate.check()
        framing = _framing(request)
        if framing.seconds is None:
            return await self._pass(request, framing, prediction)
        try:
            async with asyncio.timeout(framing.seconds):
                return await self._pass(request, framing, prediction)
        except TimeoutError:
            raise TooLate(framing.seconds) from None

    async def _pass(self, request: Request, framing: Framing, prediction: str) -> Answer:
        told = self._container.told
        # Held are the question and, as it comes, the answer.
        with self._budget.share() as share:
            body = await read_body(framing.length, request.body, self._limits, share)
            question = self._writer.question(request, body, prediction)
            with self._gate:
                try:
                    async with asyncio.timeout(told.seconds):
                        reply = await self._container.pool.ask(
                            question, told.answer_bytes, share.take
                        )
                except TimeoutError:
                    message = f"the model's container did not answer within {told.seconds:g} s"
                    raise ProtocolError(504, message) from None
        return _passed(reply)


def _framing(request: Request) -> Framing:
    """What counts on the way; what is the container's to read is left to it."""
    own = [header for header in request.headers if header[0] in _READ]
    codings = [value.strip().lower() for name, value in own if name == b"transfer-encoding"]
    if codings not in ([], [b"chunked"]):
        raise ProtocolError(501, "of transfer encodings chunked alone is read", close=True)
    return read_framing(own)


def _passed(reply: Reply) -> Answer:
    length = next((value for name, value in reply.headers if name == b"content-length"), None)
    headers = tuple(
        header
        for header in passed_on(reply.headers, _WRITTEN_ANEW)
        if not header[0].startswith(_OURS)
    )
    return Passed(
        reply.status, reply.body, headers=headers, length=None if length is None else int(length)
    )
