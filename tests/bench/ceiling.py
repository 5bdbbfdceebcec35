"""Our server beside a bare handler: of what Python can do at all, how much is left to a client.

Run from the root of the tree: `python -m tests.bench.ceiling [--seconds N] [--json FILE]`. The
handler parses HTTP and floats and runs the same graph, with the same libraries, and has no protocol
(`elsewhere/bare_handler.py`). Both on one core, asked in turn by `wrk` on another, with sixteen
connections; ratios of neighbours, then their median.
"""

import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.bench import servers, table
from tests.bench.peer_servers import ELSEWHERE
from tests.support.children import with_parent

ROUNDS = 7
QUICK_SECONDS = 1
RATIO = "one row, ours / bare handler"
TARGETS = {RATIO: "≥ 0.5"}


@contextmanager
def bare(graph: bytes) -> Iterator[servers.Asked]:
    """The handler, when it answers."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "model.onnx")
        path.write_bytes(graph)
        port, began = servers.free_port(), time.perf_counter()
        program = str(ELSEWHERE / "bare_handler.py")
        process = subprocess.Popen(with_parent(sys.executable, program, str(path), str(port)))
        try:
            first = servers.first_answer(port, "/", servers.as_json(1), began)
            yield servers.Asked(port, "/", process.pid, first)
        finally:
            process.kill()
            process.wait()


def measured(seconds: float, rounds: int) -> table.Figures:
    """Both in turn."""
    files = servers.package("logistic")
    with servers.ours(files, "Onnx") as ours, bare(files["model.onnx"]) as handler:
        pairs = in_turn(ours, handler, seconds, rounds)
    one, other = zip(*pairs, strict=True)
    return {
        "ours, requests/s": statistics.median(rate.rate for rate in one),
        "bare handler, requests/s": statistics.median(rate.rate for rate in other),
        "ours, p99, ms": statistics.median(rate.p99 for rate in one),
        "bare handler, p99, ms": statistics.median(rate.p99 for rate in other),
        RATIO: statistics.median(mine.rate / its.rate for mine, its in pairs),
    }


def in_turn(
    one: servers.Asked, other: servers.Asked, seconds: float, rounds: int
) -> list[tuple[servers.Rate, servers.Rate]]:
    """One row, asked of two servers on one core; who is first changes, as the machine does."""
    for server in (one, other):
        servers.on_core(server.pid, servers.SERVER_CORE)
    pairs = []
    for turn in range(rounds):
        order = (one, other) if turn % 2 == 0 else (other, one)
        found = {server: servers.ask(server, servers.ONE, seconds) for server in order}
        pairs.append((found[one], found[other]))
    return pairs


def main() -> None:
    options = table.options(__doc__, "seconds", whole=3, quick=QUICK_SECONDS)
    servers.need_wrk()
    machine = table.machine()
    rounds = 2 if options.size == QUICK_SECONDS else ROUNDS
    figures = measured(options.size, rounds)
    table.show("one row, 16 connections", figures, TARGETS)
    table.write(options.json, {"machine": machine, **figures})


if __name__ == "__main__":
    main()
