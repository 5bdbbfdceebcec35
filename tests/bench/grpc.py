"""gRPC beside REST in one server: what one row costs, and whether either starves the other.

Run from the root of the tree: `python -m tests.bench.grpc [--seconds N] [--json FILE]`. A server of
a logistic regression; sixteen requests at a time over each front, alone and both at their limit, in
turn and over again; medians. The clients are processes of their own that send prepared bytes, so
that what is measured is the server. Then what gRPC adds to the start and the memory of a server.
"""

import multiprocessing
import os
import socket
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from multiprocessing.queues import Queue
from pathlib import Path

import numpy as np
from tests.bench import table
from tests.bench.process import TICKS, usage
from tests.bench.tensors import as_bytes, as_json, rate
from tests.unit.server import packages, servers
from tests.unit.server.bucket import Bucket

from tidemill_server.rpc import frames
from tidemill_server.rpc.messages import CLASSES

STREAMS = 16
ROUNDS = 5
MAX_STREAM = 1 << 30
TARGETS = {
    "gRPC / REST with bytes, one row": "≥ 0.3",
    "of its rate alone gRPC keeps beside REST": "≥ 0.3",
    "of its rate alone REST keeps beside gRPC": "≥ 0.3",
}
HEADERS = frames.block(
    (
        (b":method", b"POST"),
        (b":scheme", b"http"),
        (b":path", b"/inference.GRPCInferenceService/ModelInfer"),
        (b":authority", b"x"),
        (b"content-type", b"application/grpc"),
        (b"te", b"trailers"),
    )
)


def message(rows: int) -> bytes:
    """A request of one tensor, with the five bytes before it."""
    request = CLASSES["ModelInferRequest"](model_name="power")
    request.inputs.add(name="rows", datatype="FP64", shape=[rows, 4])
    values = np.tile([0.5, 1.5, 2.0, 1.0], (rows, 1))
    request.raw_input_contents.append(values.astype("<f8").tobytes())
    data: bytes = request.SerializeToString()
    return bytes(1) + len(data).to_bytes(4) + data


def ask_grpc(port: int, rows: int, seconds: float) -> float:
    """Answers in a second, over one connection with sixteen streams open."""
    body = message(rows)
    end, count, number = time.perf_counter() + seconds, 0, 1
    with socket.create_connection(("127.0.0.1", port)) as connection:
        first = frames.settings([(frames.Setting.INITIAL_WINDOW_SIZE, frames.MAX_WINDOW)])
        wide = frames.window_update(0, frames.MAX_WINDOW - frames.FIRST_WINDOW)
        connection.sendall(frames.PREFACE + first + wide)
        wanted, rest = STREAMS, b""
        while time.perf_counter() < end:
            asked = b""
            for _ in range(wanted):
                asked += frames.header_frame(number, HEADERS) + _data(number, body)
                number += 2
            connection.sendall(asked)
            answered, taken, rest = _answers(rest + connection.recv(1 << 20))
            connection.sendall(frames.window_update(0, taken)) if taken > 1 << 16 else None
            wanted, count = answered, count + answered
    return count / seconds


def _data(number: int, body: bytes) -> bytes:
    most = frames.MAX_FRAME_BYTES
    pieces = [body[place : place + most] for place in range(0, len(body), most)]
    last = len(pieces) - 1
    return b"".join(
        frames.frame(frames.Kind.DATA, frames.END_STREAM * (place == last), number, piece)
        for place, piece in enumerate(pieces)
    )


def _answers(data: bytes) -> tuple[int, int, bytes]:
    """Streams that ended well, bytes of their messages, and what is not a whole frame yet."""
    place = ended = taken = 0
    while len(data) - place >= frames.HEAD_BYTES:
        length = int.from_bytes(data[place : place + 3])
        start = place + frames.HEAD_BYTES
        if start + length > len(data):
            break
        kind, flags = data[place + 3], data[place + 4]
        if kind == frames.Kind.DATA:
            taken += length
        elif kind == frames.Kind.HEADERS and flags & frames.END_STREAM:
            if b"grpc-status\x010" not in data[start : start + length]:
                raise SystemExit(data[start : start + length].decode(errors="replace"))
            ended += 1
        elif kind == frames.Kind.GOAWAY:
            raise SystemExit(data[start : start + length].decode(errors="replace"))
        place = start + length
    return ended, taken, data[place:]


def ask_rest(port: int, request: bytes, seconds: float) -> float:
    return rate(port, request, seconds)


Ask = Callable[[], float]


def together(*asks: Ask) -> list[float]:
    """Their rates, when they all ask at the same time, each from a process of its own."""
    context = multiprocessing.get_context("fork")
    queues: list[Queue[float]] = [context.Queue() for _ in asks]
    running = [
        context.Process(target=_tell, args=(ask, queue))
        for ask, queue in zip(asks, queues, strict=True)
    ]
    for process in running:
        process.start()
    rates = [queue.get(timeout=120) for queue in queues]
    for process in running:
        process.join()
    return rates


def _tell(ask: Ask, queue: "Queue[float]") -> None:
    queue.put(ask())


@contextmanager
def running(**env: str) -> Iterator[tuple[servers.Server, float]]:
    """A server, and in how many seconds it was ready."""
    with Bucket() as bucket, tempfile.TemporaryDirectory() as folder:
        digest = packages.publish(bucket, packages.logistic().files())
        began = time.perf_counter()
        with servers.serve(bucket, digest, Path(folder), **env) as server:
            server.ready()
            yield server, time.perf_counter() - began


def cpu(server: servers.Server) -> float:
    """Seconds of processor time, to the tick."""
    return usage(lambda name: _proc(server, name)).cpu


def _proc(server: servers.Server, name: str) -> str:
    return Path(f"/proc/{server.process.pid}/{name}").read_text()


def speed(seconds: float) -> table.Figures:
    """Rates alone and together, and the processor time of a request."""
    with running(TIDEMILL_GRPC_PORT="0") as (server, _):
        asks: dict[str, Ask] = {
            "gRPC": lambda: ask_grpc(server.grpc, 1, seconds),
            "REST, bytes": lambda: ask_rest(server.port, as_bytes(1), seconds),
            "REST, JSON": lambda: ask_rest(server.port, as_json(1), seconds),
            "gRPC, 100 rows": lambda: ask_grpc(server.grpc, 100, seconds),
            "REST, bytes, 100 rows": lambda: ask_rest(server.port, as_bytes(100), seconds),
        }
        rates: dict[str, list[float]] = {name: [] for name in asks}
        costs: dict[str, list[float]] = {name: [] for name in asks}
        kept: dict[str, list[float]] = {"gRPC": [], "REST, JSON": []}
        for _ in range(ROUNDS):
            for name, ask in asks.items():
                before = cpu(server)
                [found] = together(ask)
                rates[name].append(found)
                costs[name].append((cpu(server) - before) / (found * seconds) * 1e6)
            for name, one in zip(kept, together(*(asks[name] for name in kept)), strict=True):
                kept[name].append(one / rates[name][-1])
    median = {name: statistics.median(values) for name, values in rates.items()}
    return {
        **{f"{name}, requests/s": value for name, value in median.items()},
        **{f"{name}, CPU µs a request": statistics.median(each) for name, each in costs.items()},
        "gRPC / REST with bytes, one row": median["gRPC"] / median["REST, bytes"],
        "of its rate alone gRPC keeps beside REST": statistics.median(kept["gRPC"]),
        "of its rate alone REST keeps beside gRPC": statistics.median(kept["REST, JSON"]),
    }


def price(repeat: int) -> table.Figures:
    """What a server pays for the port alone: the time until it is ready, and its memory."""
    found: dict[str, list[tuple[float, float]]] = {"without gRPC": [], "with gRPC": []}
    for _ in range(repeat):
        for name, env in (("without gRPC", {}), ("with gRPC", {"TIDEMILL_GRPC_PORT": "0"})):
            with running(**env) as (server, seconds):
                rss = usage(partial(_proc, server)).rss
                found[name].append((seconds, rss))
    figures: table.Figures = {}
    for name, pairs in found.items():
        figures[f"seconds until ready, {name}"] = statistics.median(one for one, _ in pairs)
        figures[f"RSS when ready {name}, MiB"] = statistics.median(one for _, one in pairs)
    return figures


def main() -> None:
    options = table.options(__doc__, "seconds", whole=3, quick=1)
    machine = table.machine()
    figures = {**speed(options.size), **price(3)}
    table.show(f"one server, {STREAMS} at a time, {os.cpu_count()} cores", figures, TARGETS)
    table.write(options.json, {"machine": machine, "ticks": TICKS, **figures})


if __name__ == "__main__":
    main()
