"""A connection without a socket: what a client sends as frames, and what the server writes."""

import asyncio
import threading
from collections.abc import Callable, Iterable
from concurrent.futures import Executor
from dataclasses import dataclass, field
from typing import Any, cast

import numpy as np
from tests.unit.server.protocol.test_fuzz import SIGNATURE

from tidemill_server.accounts import Accounts
from tidemill_server.answers import stamp_headers
from tidemill_server.batching.batcher import Batcher, Pace
from tidemill_server.ids import PredictionIds
from tidemill_server.inference import Inference
from tidemill_server.lifecycle.state import Served, State
from tidemill_server.metrics.registry import Metrics, Outcome
from tidemill_server.models import Model as ServedModel
from tidemill_server.models import One
from tidemill_server.package.signature import parse_signature
from tidemill_server.protocol.infer import Stamp
from tidemill_server.rpc import frames
from tidemill_server.rpc.connection import Connection
from tidemill_server.rpc.frames import Header, Kind
from tidemill_server.rpc.front import Front
from tidemill_server.rpc.messages import CLASSES
from tidemill_server.rpc.service import INFER, Service
from tidemill_server.settings import Limits

OUTPUTS = [{"name": "predict", "datatype": "FP64", "shape": [-1]}]


class Model:
    """Answers the first column, when it is let; remembers what it was asked."""

    def __init__(self) -> None:
        self.free, self.began = threading.Event(), threading.Event()
        self.free.set()
        self.asked: list[float] = []

    def predict(self, matrix: np.ndarray, wanted: Iterable[str]) -> dict[str, np.ndarray]:
        self.began.set()
        assert self.free.wait(10)
        self.asked += matrix[:, 0].tolist()
        return dict.fromkeys(wanted, matrix[:, 0])


@dataclass
class Frame:
    kind: int
    flags: int
    stream: int
    payload: bytes


@dataclass
class Wire:
    """The server's end of a socket: keeps what is written."""

    written: bytes = b""
    closing: bool = False
    aborted: bool = False
    reading: bool = True

    def write(self, data: bytes) -> None:
        assert not self.closing, "nobody would read it"
        self.written += data

    def is_closing(self) -> bool:
        return self.closing

    def close(self) -> None:
        self.closing = True

    def abort(self) -> None:
        self.closing = self.aborted = True

    def pause_reading(self) -> None:
        self.reading = False

    def resume_reading(self) -> None:
        self.reading = True

    def take(self) -> list[Frame]:
        """The frames since the last look."""
        found, place, data = [], 0, self.written
        while place < len(data):
            size = int.from_bytes(data[place : place + 3])
            stream = int.from_bytes(data[place + 5 : place + 9])
            payload = data[place + 9 : place + 9 + size]
            assert len(payload) == size
            found.append(Frame(data[place + 3], data[place + 4], stream, payload))
            place += 9 + size
        self.written = b""
        return found


def read_block(data: bytes) -> dict[bytes, bytes]:
    """Headers as the server writes them, with a reader of somebody else's."""
    import hpack

    return dict(hpack.Decoder().decode(data, raw=True))


def headers(path: bytes = INFER, *more: Header) -> bytes:
    kind = (b"content-type", b"application/grpc")
    return frames.block([(b":method", b"POST"), (b":path", path), kind, *more])


def message(*values: float, **fields: Any) -> bytes:
    """A request of rows whose first column is given, with the five bytes before it."""
    request = CLASSES["ModelInferRequest"](model_name="m", **fields)
    rows = np.array([[value, 1, 1] for value in values], "<f8")
    request.inputs.add(name="rows", datatype="FP64", shape=[len(values), 3])
    request.raw_input_contents.append(rows.tobytes())
    return framed(request.SerializeToString())


def framed(data: bytes, flag: int = 0) -> bytes:
    return bytes((flag,)) + len(data).to_bytes(4) + data


@dataclass
class Peer:
    """A client with its connection, and the server's parts behind it."""

    front: Front
    metrics: Metrics
    model: Model
    inference: Inference
    service: Service
    state: State
    wire: Wire = field(default_factory=Wire)
    _connection: Connection | None = None

    @property
    def connection(self) -> Connection:
        if self._connection is None:
            self._connection = Connection(self.front.terms)
            self._connection.connection_made(cast("asyncio.Transport", self.wire))
        return self._connection

    def greet(self, *more: bytes) -> list[Frame]:
        return self.send(frames.PREFACE + frames.settings([]), *more)

    def send(self, *data: bytes) -> list[Frame]:
        self.connection.data_received(b"".join(data))
        return self.wire.take()

    def ask(self, stream: int, data: bytes, *more: Header, path: bytes = INFER) -> list[Frame]:
        head = frames.header_frame(stream, headers(path, *more))
        return self.send(head, frames.frame(Kind.DATA, frames.END_STREAM, stream, data))

    async def answers(self, count: int = 1) -> list[Frame]:
        """What is written until so many streams have ended."""
        found: list[Frame] = []
        async with asyncio.timeout(30):
            while sum(_is_end(frame) for frame in found) < count:
                await asyncio.sleep(0)
                found += self.wire.take()
        return found

    def ended(self, outcome: Outcome) -> int:
        requests: dict[str, int] = self.metrics.stats()["requests"]
        return requests[outcome.value]


def _is_end(frame: Frame) -> bool:
    return frame.kind == Kind.HEADERS and bool(frame.flags & frames.END_STREAM)


async def until(condition: Callable[[], object]) -> None:
    """Let the loop run until something is so."""
    async with asyncio.timeout(30):
        while not condition():  # noqa: ASYNC110 - what is waited for has no event
            await asyncio.sleep(0.001)


def status(answer: list[Frame]) -> dict[bytes, bytes]:
    """The trailers of the one stream that has ended."""
    [last] = [frame for frame in answer if _is_end(frame)]
    return read_block(last.payload)


def peer(thread: Executor, limits: Limits | None = None, *, pace: float = 0.0) -> Peer:
    """A server of a small model; with a pace of a second it is asked in the thread."""
    limits = limits or Limits()
    signature = parse_signature({**SIGNATURE, "outputs": OUTPUTS})
    model, metrics, state = Model(), Metrics(), State()
    batcher = Batcher(model, Pace(pace, pace), max_rows=10, thread=thread)
    state.serve(Served(signature, batcher))
    inference = Inference(Stamp("m", "1", "sha256:0"), limits)
    accounts = Accounts(metrics)
    models = One(ServedModel(state, inference, accounts))
    service = Service(state, models, limits, ids=PredictionIds(), accounts=accounts)
    front = Front(service, inference.budget, limits, stamp_headers(inference.stamp))
    return Peer(front, metrics, model, inference, service, state)
