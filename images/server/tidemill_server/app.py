"""The application: which path is answered by what, and nothing else.

A framework would cost several times the work of a small model's request, so paths are looked up in
one table, made when the server starts. Whatever goes wrong becomes the protocol's error object.
"""

import asyncio
import functools
import logging
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import Any

from tidemill_server.about import model as about_model
from tidemill_server.about import openapi
from tidemill_server.accounts import Accounts
from tidemill_server.answers import Answer, error_answer, json_answer, page_answer
from tidemill_server.ids import PredictionIds
from tidemill_server.inference import Call, Inference
from tidemill_server.lifecycle.state import State, readiness
from tidemill_server.metrics.registry import CONTENT_TYPE, Metrics, Outcome
from tidemill_server.protocol.errors import SHOWN_CHARS, Header, ProtocolError, fault
from tidemill_server.protocol.metadata import model_metadata, server_metadata
from tidemill_server.rest.heads import lines
from tidemill_server.rest.request import Request

log = logging.getLogger(__name__)


class Application:
    """One model behind the protocol's paths."""

    def __init__(
        self,
        state: State,
        inference: Inference,
        *,
        metrics: Metrics,
        ids: PredictionIds,
        accounts: Accounts,
    ) -> None:
        self._stamped = b""
        self._stamp = stamp = inference.stamp
        self._state = state
        self._inference = inference
        self._metrics = metrics
        self._ids = ids
        self._accounts = accounts
        self._traces = accounts.traces
        self._began = time.monotonic()
        self._told: dict[str, Answer] = {}
        self._shown: frozenset[str] = frozenset()
        model = f"/v2/models/{stamp.name}"
        versioned = f"{model}/versions/{stamp.version}"
        self._asked: dict[str, Callable[[Call], Awaitable[Answer]]] = {
            f"{model}/infer": inference.tensors,
            f"{versioned}/infer": inference.tensors,
            "/v1/predict": inference.plain,
        }
        self._pages: dict[str, Callable[[], Answer]] = {
            "/v2": lambda: json_answer(server_metadata()),
            "/v2/": lambda: json_answer(server_metadata()),
            "/v2/health/live": lambda: json_answer({"live": True}),
            "/v2/health/ready": self._ready,
            "/metrics": lambda: Answer(200, metrics.render(), CONTENT_TYPE),
            "/openapi.json": lambda: self._once("/openapi.json", self._openapi),
            "/v1/model": lambda: self._once("/v1/model", self._describe),
            "/v1/stats": self._stats,
            model: self._metadata,
            versioned: self._metadata,
            f"{model}/ready": self._model_ready,
            f"{versioned}/ready": self._model_ready,
        }

    def mark(self, headers: Iterable[Header]) -> None:
        """Have all answers bear these, where others' in the same server bear others."""
        self._stamped = lines(headers)

    def show(self, pages: Mapping[str, Answer]) -> None:
        """Answer these paths as well, always with the same: of them anybody may ask."""
        self._shown |= pages.keys()
        self._pages |= {path: functools.partial(_same, page) for path, page in pages.items()}

    @property
    def paths(self) -> Iterable[str]:
        """All that are answered."""
        return (*self._asked, *self._pages)

    def is_shown(self, path: str) -> bool:
        """Whether anybody may ask for it."""
        return path in self._shown

    def is_counted(self, path: str) -> bool:
        """Whether a request for it is one for a prediction."""
        return path in self._asked

    def answer(self, request: Request) -> Awaitable[Answer]:
        """Answer one request; never raises, unless it is cancelled."""
        # No coroutine around coroutines: each is paid for with every request.
        answerer = self._asked.get(request.path)
        return self._tell(request) if answerer is None else self._ask(answerer, request)

    async def _tell(self, request: Request) -> Answer:
        answer = page_answer(lambda: self._page(request), request.path)
        answer.stamp = self._stamped
        return answer

    def _page(self, request: Request) -> Answer:
        page = self._pages.get(request.path)
        if page is None:
            raise self._unknown(request.path)
        request.check_method("GET", "HEAD")
        return page()

    async def _ask(self, answerer: Callable[[Call], Awaitable[Answer]], request: Request) -> Answer:
        started = time.perf_counter()
        prediction = self._ids()
        outcome, trace = Outcome.OK, None
        try:
            request.check_method("POST")
            if self._traces is not None:
                trace = self._traces.begin(request.headers, request.path, prediction)
                if trace is not None:
                    trace.model = self._stamp
            call = Call(self._state.model(), request.headers, request.body, prediction, trace)
            answer = await answerer(call)
        except ProtocolError as error:
            answer = error_answer(error)
            outcome = Outcome.of_error(error)
        except asyncio.CancelledError:
            self._accounts.ended(Outcome.GONE, trace)
            raise
        except Exception:  # a fault of ours must not reach the client as anything but the protocol
            log.exception("the request failed", extra={"prediction": prediction})
            answer = error_answer(fault())
            outcome = Outcome.ERROR
        answer.prediction = prediction.encode()
        answer.stamp = self._stamped
        seconds = time.perf_counter() - started
        self._accounts.answered(request.path, answer.status, outcome, seconds, trace)
        return answer

    def _ready(self) -> Answer:
        return readiness(self._state, {})

    def _model_ready(self) -> Answer:
        return readiness(self._state, {"name": self._stamp.name})

    def _metadata(self) -> Answer:
        served = self._state.model()
        tables = served.lookup.reader.tables if served.lookup else ()
        return json_answer(model_metadata(self._stamp, served.signature, tables, served.platform))

    def _once(self, path: str, make: Callable[[], Mapping[str, Any]]) -> Answer:
        """What does not change while the model is served is written once."""
        if path not in self._told:
            self._told[path] = json_answer(make())
        return self._told[path]

    def _describe(self) -> Mapping[str, Any]:
        return about_model.describe(self._stamp, self._state.model())

    def _openapi(self) -> Mapping[str, Any]:
        return openapi.document(self._stamp, self._state.model(), self._inference.limits)

    def _stats(self) -> Answer:
        now = {
            "in_flight": self._inference.in_flight,
            "ready": self._state.ready,
            "uptime_seconds": round(time.monotonic() - self._began, 3),
        }
        return json_answer({**self._metrics.stats(), **now})

    def _unknown(self, path: str) -> ProtocolError:
        """Say what is unknown: the model, its version, or the path."""
        parts = path[:1000].split("/")
        if parts[:3] == ["", "v2", "models"] and len(parts) > 3 and parts[3]:
            if parts[3] != self._stamp.name:
                name, known = parts[3][:SHOWN_CHARS], self._stamp.name
                return ProtocolError(404, f"no model {name!r} here; there is {known!r}")
            if parts[4:5] == ["versions"] and parts[5:6] not in ([], [self._stamp.version]):
                version = parts[5][:SHOWN_CHARS]
                known = self._stamp.version
                return ProtocolError(404, f"no version {version!r} here; there is {known!r}")
        return ProtocolError(404, f"nothing is answered at {path[:SHOWN_CHARS]!r}")


def _same(answer: Answer) -> Answer:
    return answer
