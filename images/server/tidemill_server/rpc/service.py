"""What each method of gRPC answers. Predictions go the way of REST's: same bounds, same batches."""

import asyncio
import logging
import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from tidemill_server.accounts import Accounts
from tidemill_server.features.request import Asked
from tidemill_server.ids import PredictionIds
from tidemill_server.inference import LONG_BYTES
from tidemill_server.lifecycle.state import Served, State
from tidemill_server.metrics.registry import Outcome
from tidemill_server.models import READY, Model, Models
from tidemill_server.protocol import compression
from tidemill_server.protocol.errors import ProtocolError, TooLate, fault, shown
from tidemill_server.protocol.infer import Envelope, InferRequest
from tidemill_server.protocol.metadata import model_metadata, server_metadata
from tidemill_server.protocol.rows import read_rows
from tidemill_server.rpc.calls import Call, Reply, bad, good
from tidemill_server.rpc.frames import Header
from tidemill_server.rpc.messages import CLASSES, HEALTH, INFERENCE, Message, parse
from tidemill_server.rpc.tensors import name_in, read_infer, write_infer
from tidemill_server.rpc.terms import SMALL_BYTES
from tidemill_server.settings import Limits

if TYPE_CHECKING:  # imported only where traces are recorded
    from tidemill_server.traces.trace import Trace

SERVICE = f"{INFERENCE}.GRPCInferenceService"
HEALTH_SERVICE = f"{HEALTH}.Health"
INFER = f"/{SERVICE}/ModelInfer".encode()
# What probes ask: it says nothing of data.
HEALTH_PATHS = frozenset(
    {f"/{HEALTH_SERVICE}/Check".encode()}
    | {f"/{SERVICE}/{name}".encode() for name in ("ServerLive", "ServerReady")}
)
SHOWN_BYTES = 100
SERVING, NOT_SERVING = 1, 2

log = logging.getLogger(__name__)


class Service:
    """The methods by their paths."""

    def __init__(
        self,
        state: State,
        models: Models,
        limits: Limits,
        *,
        ids: PredictionIds,
        accounts: Accounts,
    ) -> None:
        self._state = state
        self._models = models
        self._large = limits.body_bytes
        self._ids = ids
        self._accounts = accounts
        self._traces = accounts.traces
        told: dict[str, Callable[[Message], dict[str, Any]]] = {
            "ServerLive": lambda _: {"live": True},
            "ServerReady": lambda _: {"ready": state.ready},
            "RepositoryIndex": self._index,
            "ServerMetadata": lambda _: {**server_metadata(), "extensions": []},
            "ModelReady": self._model_ready,
            "ModelMetadata": self._metadata,
        }
        self._methods: dict[bytes, tuple[str, Callable[[Message], dict[str, Any]]]] = {
            f"/{SERVICE}/{name}".encode(): (name, tell) for name, tell in told.items()
        }
        self._methods[f"/{HEALTH_SERVICE}/Check".encode()] = ("HealthCheck", self._health)

    @property
    def paths(self) -> tuple[bytes, ...]:
        """What is answered."""
        return (INFER, *self._methods)

    async def answer(self, call: Call) -> Reply:
        """Answer a call whose message is there."""
        if call.path == INFER:
            return await self._account(call)
        try:
            return await self._tell(call)
        except ProtocolError as error:
            return bad(error)
        except Exception:
            log.exception("the call failed", extra={"path": _shown(call.path)})
            return bad(fault())

    def refused(self, call: Call, error: ProtocolError) -> Reply:
        """Answer one that is not received to its end."""
        if call.path == INFER:
            self._accounts.ended(Outcome.of_status(error.status))
        return bad(error)

    def gone(self, call: Call) -> None:
        if call.path == INFER:
            self._accounts_of(call).ended(Outcome.GONE, call.trace)

    def _accounts_of(self, call: Call) -> Accounts:
        return call.model.accounts if call.model is not None else self._accounts

    async def _tell(self, call: Call) -> Reply:
        method = self._methods.get(call.path)
        if method is None:
            raise ProtocolError(501, f"no method {_shown(call.path)!r} here")
        name, tell = method
        asked = parse(f"{name}Request", await self._message(call))
        return good(CLASSES[f"{name}Response"](**tell(asked)).SerializeToString())

    async def _account(self, call: Call) -> Reply:
        """Predict, and count how it ended, as REST does."""
        started = time.perf_counter()
        prediction = self._ids()
        named: Header = (b"x-tidemill-prediction-id", prediction.encode())
        status, outcome = 200, Outcome.OK
        if self._traces is not None:
            call.trace = self._traces.begin(call.context, INFER.decode(), prediction, rpc=True)
        try:
            reply = await self._bounded(call, prediction)
            reply.trailers.append(named)
        except ProtocolError as error:
            status, outcome = error.status, Outcome.of_error(error)
            reply = bad(error, named)
        except Exception:  # a fault of ours must not reach the client as anything but a status
            log.exception("the call failed", extra={"prediction": prediction})
            status, outcome = 500, Outcome.ERROR
            reply = bad(fault(), named)
        seconds = time.perf_counter() - started
        if call.model is not None:
            reply.trailers.extend(call.model.told)
        self._accounts_of(call).answered(INFER.decode(), status, outcome, seconds, call.trace)
        return reply

    async def _bounded(self, call: Call, prediction: str) -> Reply:
        if call.seconds is None:
            return await self._infer(call, prediction)
        try:
            # What is still queued then is cancelled, and never computed.
            async with asyncio.timeout_at(call.began + call.seconds):
                return await self._infer(call, prediction)
        except TimeoutError:
            raise TooLate(call.seconds) from None

    async def _infer(self, call: Call, prediction: str) -> Reply:
        only, message = self._models.only, None
        if only is None:
            message = await self._message(call)
            only = self._models.named(name_in(message))
        call.model = only
        if call.trace is not None:
            call.trace.model = only.inference.stamp
        inference, served = only.inference, only.state.model()
        with inference.gate:
            if message is None:
                message = await self._message(call)
            envelope, asked = await self._read(call, only, served, message)
            del message
            rows, told = await _rows(served, asked, call.trace)
            request = InferRequest(
                *(envelope.id, rows, envelope.outputs, told, envelope.as_bytes, envelope.explain)
            )
            answer, request = await inference.answered(served, request, prediction, call.trace)
            written = write_infer(
                request, answer, served.signature, stamp=inference.stamp, prediction=prediction
            )
            return await _finished(call, written)

    async def _read(
        self, call: Call, model: Model, served: Served, message: bytes
    ) -> tuple[Envelope, np.ndarray | Asked]:
        """The request with its rows, or what is to be looked up; what they came from is let go."""
        most, lookup = model.inference.limits.rows, served.lookup

        def read() -> tuple[Envelope, np.ndarray | Asked]:
            keys = len(lookup.reader.keys) if lookup is not None else 0
            asked = read_infer(message, served.signature, most, keys)
            model.check(asked.model, asked.version)
            envelope = asked.envelope
            inputs, envelope.inputs = envelope.inputs, None
            if lookup is None:
                return envelope, read_rows(inputs, served.signature, most)
            return envelope, lookup.reader.read(inputs)

        found = read() if len(message) <= LONG_BYTES else await call.share.in_thread(read)
        call.share.free()
        return found

    async def _message(self, call: Call) -> bytes:
        message = call.message()
        if not call.encoding:
            return message
        most = self._large if call.path == INFER else SMALL_BYTES
        # In a thread: a small message may be large when it is read.
        encoding, take = call.encoding, call.share.take
        return await call.share.in_thread(
            lambda: compression.decompress(message, encoding, most, take)
        )

    def _model_ready(self, asked: Message) -> dict[str, Any]:
        return {"ready": self._asked(asked).state.ready}

    def _metadata(self, asked: Message) -> dict[str, Any]:
        model = self._asked(asked)
        served = model.state.model()
        found = model_metadata(model.inference.stamp, served.signature, (), served.platform)
        if served.lookup is not None:
            tables = served.lookup.reader.tables
            found["properties"] = {"features": ",".join(table.dataset for table in tables)}
        return found

    def _index(self, asked: Message) -> dict[str, Any]:
        listed = self._models.index()
        return {"models": [one for one in listed if not asked.ready or one["state"] == READY]}

    def _asked(self, asked: Message) -> Model:
        model = self._models.named(asked.name)
        model.check(asked.name, asked.version)
        return model

    def _health(self, asked: Message) -> dict[str, Any]:
        if asked.service not in ("", SERVICE):
            raise ProtocolError(404, f"no service {shown(asked.service)} here; there is {SERVICE}")
        return {"status": SERVING if self._state.ready else NOT_SERVING}


async def _rows(
    served: Served, asked: np.ndarray | Asked, trace: "Trace | None"
) -> tuple[np.ndarray, Mapping[str, Any] | None]:
    """The rows, and what is told of those that were looked up."""
    if served.lookup is not None:
        return await served.lookup.rows(asked, trace)
    if not isinstance(asked, np.ndarray):
        raise TypeError("nobody looks features up here")
    return asked, None


async def _finished(call: Call, message: bytes) -> Reply:
    """Compressed as the question was, where it is worth it."""
    encoding = compression.known(call.encoding)
    if not encoding or len(message) < compression.LEAST_BYTES:
        return good(message)
    packed = await asyncio.to_thread(compression.compress, message, encoding)
    reply = good(packed)
    reply.encoding = encoding
    return reply


def _shown(path: bytes) -> str:
    return path[:SHOWN_BYTES].decode("ascii", "replace")
