"""What a request pays for being counted, named and kept: metrics, histograms, ids, capture.

Run from the root of the tree: `python -m tests.bench.counted [--seconds N] [--json FILE]`. Capture
alone can be switched off: two servers on one core, one with it and one without, asked in turn by
`wrk` with sixteen connections. The others are measured in this process: connections of the server
without sockets, of which some count and keep and some do not, in turn; what that takes is then
compared with what a request takes of the first server. Ratios of neighbours, then their median.
"""

import asyncio
import gc
import statistics
import tempfile
import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import uvloop
from tests.bench import servers, table, tensors
from tests.bench.ceiling import in_turn
from tests.bench.process import usage

from tidemill_server.accounts import Accounts
from tidemill_server.answers import stamp_headers
from tidemill_server.app import Application
from tidemill_server.batching.batcher import Batcher, Pace
from tidemill_server.capture.ring import Ring
from tidemill_server.formats.choice import open_model
from tidemill_server.ids import PredictionIds
from tidemill_server.inference import Inference
from tidemill_server.lifecycle.state import Served, State
from tidemill_server.metrics.registry import Metrics, Outcome
from tidemill_server.package.signature import read_signature
from tidemill_server.protocol.infer import Stamp
from tidemill_server.rest.connection import Connection
from tidemill_server.rest.heads import Heads
from tidemill_server.rest.terms import Patience, Terms
from tidemill_server.settings import Limits

ROUNDS, QUICK_SECONDS = 7, 1
CAPTURED_ROWS = 10_000
CONNECTIONS, BLOCK = 16, 800  # requests of a block, all connections together
MOST_TURNS = 10_000  # of the event loop, until all are answered
BLOCKS = 20  # of each, a second that was asked for
RATE, P99 = "capture: rate, on / off", "capture: p99, on / off"
CPU = "processor's time of a request, with capture, µs"
ON, COUNTED, KEPT, BOTH = (
    "with all of them, µs a request",
    "without metrics, histograms and ids",
    "without capture",
    "without any",
)
ALL = "all of them: rate, on / off, as computed"
TARGETS = {RATE: "≥ 0.95", P99: "≤ 1.02", ALL: "≥ 0.95"}


class Uncounted(Accounts):
    """Counts nothing."""

    def ended(self, outcome: Outcome, trace: object = None) -> None:
        pass

    def answered(
        self, path: str, status: int, outcome: Outcome, seconds: float, trace: object = None
    ) -> None:
        pass


class Nameless(PredictionIds):
    """Gives all the same id."""

    def __call__(self) -> str:
        return "01980000-0000-7000-8000-000000000000"


class Wire(asyncio.Transport):
    """What is written is counted, and goes nowhere."""

    def __init__(self) -> None:
        super().__init__()
        self.answers = 0

    def write(self, data: object) -> None:
        if not bytes(cast("bytes", data)).startswith(b"HTTP/1.1 200"):
            raise SystemExit(f"the server answers {data!r}")
        self.answers += 1

    def is_closing(self) -> bool:
        return False


@dataclass(frozen=True)
class Server:
    """Everything between bytes that came and bytes that go; without sockets."""

    connections: list[tuple[Connection, Wire]]

    async def block(self, request: bytes) -> float:
        """Microseconds of this process for a request, all connections asking at a time."""
        began = time.process_time()
        for _ in range(BLOCK // CONNECTIONS):
            wanted = self.connections[-1][1].answers + 1
            for connection, _wire in self.connections:
                connection.data_received(request)
            for _turn in range(MOST_TURNS):
                if all(wire.answers == wanted for _, wire in self.connections):
                    break
                await asyncio.sleep(0)
            else:
                raise SystemExit("a request is not answered")
        return 1e6 * (time.process_time() - began) / BLOCK


def server(folder: Path, thread: ThreadPoolExecutor, *, counted: bool, kept: bool) -> Server:
    """One with or without them; within an event loop."""
    metrics, state = Metrics(), State()
    stamp = Stamp("power", "1", "sha256:" + "0" * 64)
    limits = Limits()
    signature = read_signature(folder / "signature.json")
    batcher = Batcher(
        open_model(folder, signature, "Onnx"),
        Pace(0.00002, 0.000001),
        max_rows=limits.batch_rows,
        thread=thread,
        **({"on_batch": metrics.batch} if counted else {}),
    )
    batcher.keeper = Ring(CAPTURED_ROWS, limits.captured_bytes) if kept else None
    state.serve(Served(signature, batcher))
    app = Application(
        state,
        Inference(stamp, limits),
        metrics=metrics,
        ids=PredictionIds() if counted else Nameless(),
        accounts=Accounts(metrics) if counted else Uncounted(metrics),
    )
    terms = Terms(app, Heads(stamp_headers(stamp)), Patience(30, 75))
    pairs = [(Connection(terms), Wire()) for _ in range(CONNECTIONS)]
    for connection, wire in pairs:
        connection.connection_made(wire)
    return Server(pairs)


async def compared(files: Mapping[str, bytes], blocks: int) -> table.Figures:
    """The processor's time of a request: with all, without some, without any."""
    with tempfile.TemporaryDirectory() as name, ThreadPoolExecutor(1) as thread:
        folder = Path(name)
        for path, data in files.items():
            (folder / path).write_bytes(data)
        every = {
            ON: server(folder, thread, counted=True, kept=True),
            COUNTED: server(folder, thread, counted=False, kept=True),
            KEPT: server(folder, thread, counted=True, kept=False),
            BOTH: server(folder, thread, counted=False, kept=False),
        }
        request = tensors.as_json(1)
        for one in every.values():  # the first is for the caches, and fills what is kept
            for _ in range(CAPTURED_ROWS // BLOCK + 1):
                await one.block(request)
        found: dict[str, list[float]] = {which: [] for which in every}
        for turn in range(blocks):
            for which in list(every) if turn % 2 == 0 else list(reversed(every)):
                found[which].append(await every[which].block(request))
    return {which: statistics.median(each) for which, each in found.items()} | {
        f"{which}, of that": statistics.median(
            off / on for off, on in zip(found[which], found[ON], strict=True)
        )
        for which in (COUNTED, KEPT, BOTH)
    }


def used(pid: int) -> float:
    """Seconds of processor time of a process."""
    return usage(lambda name: Path(f"/proc/{pid}/{name}").read_text()).cpu


def capture(files: dict[str, bytes], seconds: float, rounds: int) -> table.Figures:
    """Two servers, as a client sees them."""
    kept = servers.ours(files, "Onnx", env={"TIDEMILL_CAPTURE_ROWS": str(CAPTURED_ROWS)})
    with kept as on, servers.ours(files, "Onnx") as off:
        before = used(on.pid)
        pairs = in_turn(on, off, seconds, rounds)
        asked = sum(one.rate * seconds for one, _ in pairs)
        cost = 1e6 * (used(on.pid) - before) / asked
    return {
        CPU: cost,
        "with capture, requests/s": statistics.median(one.rate for one, _ in pairs),
        "without, requests/s": statistics.median(other.rate for _, other in pairs),
        RATE: statistics.median(one.rate / other.rate for one, other in pairs),
        P99: statistics.median(one.p99 / other.p99 for one, other in pairs),
    }


def main() -> None:
    options = table.options(__doc__, "seconds", whole=3, quick=QUICK_SECONDS)
    servers.need_wrk()
    machine = table.machine()
    files = servers.package("logistic")
    rounds = 2 if options.size == QUICK_SECONDS else ROUNDS
    figures = capture(files, options.size, rounds)
    table.show("two servers, one row, 16 connections", figures, TARGETS)
    gc.collect()
    gc.freeze()  # as the server does: what is there need not be looked through
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        inside = runner.run(compared(files, options.size * BLOCKS))
    inside[ALL] = 1 - (inside[ON] - inside[BOTH]) / figures[CPU]
    table.show("in one process, without sockets: processor's time", inside, TARGETS)
    table.write(options.json, {"machine": machine, **figures, **inside})


if __name__ == "__main__":
    main()
