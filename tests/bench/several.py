"""Several models in one server beside a server for each: rate, memory of a model more, coming up.

Run from the root of the tree: `python -m tests.bench.several [--models N] [--json FILE]`. The same
small pipeline by many names, each a package of its own, answered by ONNX Runtime. Rates by `wrk`
with sixteen connections, one row, both servers on one core and in turn: ratios of neighbours, then
their median. Memory is the proportional set of all of a server's processes, in MiB. Coming up is
from the change of the list to the first answer; up to a second of it passes until the list is
looked at.
"""

import statistics
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.bench import servers, table
from tests.bench.ceiling import in_turn
from tests.bench.server_start import memory
from tests.unit.server.bucket import Bucket
from tests.unit.server.servers import Server
from tests.unit.server.shelf.shelves import Shelf

QUICK_MODELS, ROUNDS, COMINGS = 4, 5, 5
RATE, P99 = "rate, one of several / alone", "p99, one of several / alone"
MORE = "a model more / a server more"
TARGETS = {RATE: "≥ 0.9", MORE: "≤ 0.1"}


@contextmanager
def shelf_of(files: dict[str, bytes], count: int) -> Iterator[tuple[Shelf, Server]]:
    """One server with so many models, all of which answer."""
    with Bucket() as bucket, tempfile.TemporaryDirectory() as folder:
        shelf = Shelf(bucket, Path(folder))
        for number in range(count):
            shelf.want(f"model-{number}", files)
        with shelf.serve(TIDEMILL_RUNTIME="Onnx", TIDEMILL_GRPC_PORT="") as server:
            server.wait_for_log("serving")
            yield shelf, server


def processes(pid: int) -> list[int]:
    """A process and its children."""
    text = Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="ascii")
    return [pid, *map(int, text.split())]


def pss(pid: int) -> float:
    return sum(memory(one)["pss_mib"] for one in processes(pid))


def coming(shelf: Shelf, server: Server, files: dict[str, bytes], name: str) -> float:
    """Seconds until one more model answers."""
    began = time.perf_counter()
    shelf.want(name, files)
    while server.get(f"/v2/models/{name}/ready").status != 200:
        threading.Event().wait(0.01)
    return time.perf_counter() - began


def measured(count: int, rounds: int, seconds: float) -> table.Figures:
    files = servers.package("logistic")
    # One server at a time: what two share would count half in each.
    with servers.ours(files, "Onnx") as alone:
        single = pss(alone.pid)
    with shelf_of(files, 1) as (_, server):
        one = pss(server.process.pid)
    with shelf_of(files, count) as (_, server):
        several = pss(server.process.pid)
    with servers.ours(files, "Onnx") as alone, shelf_of(files, count) as (shelf, server):
        path = f"/v2/models/model-{count // 2}/infer"
        asked = servers.Asked(server.port, path, server.process.pid, 0.0)
        pairs = in_turn(asked, alone, seconds, rounds)
        came = [coming(shelf, server, files, f"late-{number}") for number in range(COMINGS)]
    more = (several - one) / (count - 1)
    return {
        "models": count,
        "one of several, requests/s": statistics.median(one.rate for one, _ in pairs),
        "alone, requests/s": statistics.median(other.rate for _, other in pairs),
        RATE: statistics.median(one.rate / other.rate for one, other in pairs),
        P99: statistics.median(one.p99 / other.p99 for one, other in pairs),
        "server of several, MiB": several,
        "server of one, MiB": single,
        "a model more, MiB": more,
        MORE: more / single,
        "from the list to an answer, s": statistics.median(came),
    }


def main() -> None:
    options = table.options(__doc__, "models", whole=16, quick=QUICK_MODELS)
    servers.need_wrk()
    quick = options.size == QUICK_MODELS
    machine = table.machine()
    figures = measured(options.size, 2 if quick else ROUNDS, 1 if quick else 3)
    table.show("several models in one server", figures, TARGETS)
    table.write(options.json, {"machine": machine, **figures})


if __name__ == "__main__":
    main()
