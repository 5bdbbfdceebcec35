"""A model served from ONNX beside the same model served from skops: rate, processor, memory, start.

Run from the root of the tree: `python -m tests.bench.onnx_server [--requests N] [--json FILE]`.
Each model is packed with both and served twice, by new processes that are told which to take. One
connection asks for one row at a time; the processor time of a request is what a busy machine
changes least.
"""

import json
import os
import socket
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from tests.bench import table
from tests.bench.server_start import forest_of_100, memory
from tests.unit.server import onnx_packages, packages
from tests.unit.server.bucket import Bucket
from tests.unit.server.servers import Server, serve

MODELS: dict[str, tuple[Callable[[], packages.Model], bool]] = {
    "logistic": (packages.logistic, True),
    "forest-100": (forest_of_100, False),
    "boosted": (packages.boosted, False),
}
RUNTIMES = ("Onnx", "Native")
WARM = 50
TARGETS = {
    "requests per second, ONNX to skops": "≥ 2",
    "processor per request, skops to ONNX": "≥ 2",
    "memory (PSS), ONNX to skops": "≤ 0.5",
    "start to the first 200, ONNX to skops": "≤ 0.5",
}


def measured(
    files: dict[str, bytes], row: list[float], runtime: str, requests: int
) -> table.Figures:
    """One server: seconds until ready, then so many requests."""
    with Bucket() as bucket, tempfile.TemporaryDirectory() as folder:
        digest = packages.publish(bucket, files)
        began = time.perf_counter()
        with serve(bucket, digest, Path(folder), TIDEMILL_RUNTIME=runtime) as server:
            server.ready()
            ready = time.perf_counter() - began
            _ask(server, row, WARM)
            used, began = _cpu(server), time.perf_counter()
            _ask(server, row, requests)
            took = time.perf_counter() - began
            return {
                "seconds until ready": ready,
                "requests per second": requests / took,
                "processor per request, us": 1e6 * (_cpu(server) - used) / requests,
                "PSS, MiB": memory(server.process.pid)["pss_mib"],
            }


def _ask(server: Server, row: list[float], requests: int) -> None:
    tensor = {"name": "x", "shape": [1, len(row)], "datatype": "FP64", "data": row}
    body = json.dumps({"inputs": [tensor]}).encode()
    head = f"POST /v2/models/power/infer HTTP/1.1\r\nhost: x\r\ncontent-length: {len(body)}\r\n\r\n"
    request = head.encode() + body
    with socket.create_connection(("127.0.0.1", server.port), timeout=60) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for _ in range(requests):
            connection.sendall(request)
            answer = _answer(connection)
            if not answer.startswith(b"HTTP/1.1 200"):
                raise SystemExit(f"the server answers {answer[:200]!r}")


def _answer(connection: socket.socket) -> bytes:
    """The head, with the body read behind it."""
    found = b""
    while b"\r\n\r\n" not in found:
        found += connection.recv(65536)
    head, _, body = found.partition(b"\r\n\r\n")
    left = int(head.lower().partition(b"content-length:")[2].split()[0]) - len(body)
    while left > 0:
        left -= len(connection.recv(65536))
    return head


def _cpu(server: Server) -> float:
    fields = Path(f"/proc/{server.process.pid}/stat").read_text(encoding="ascii")
    user, system = fields.rpartition(")")[2].split()[11:13]
    return (int(user) + int(system)) / os.sysconf("SC_CLK_TCK")


def compared(requests: int) -> table.Figures:
    """Each model in both ways, and the ratios."""
    found: table.Figures = {}
    for name, (make, double) in MODELS.items():
        model = make()
        files = onnx_packages.beside(model, double=double)
        row = model.rows[1].tolist()
        fast, native = (measured(files, row, runtime, requests) for runtime in RUNTIMES)
        ratios = {
            "requests per second, ONNX to skops": _ratio(fast, native, "requests per second"),
            "processor per request, skops to ONNX": _ratio(
                native, fast, "processor per request, us"
            ),
            "memory (PSS), ONNX to skops": _ratio(fast, native, "PSS, MiB"),
            "start to the first 200, ONNX to skops": _ratio(fast, native, "seconds until ready"),
        }
        table.show(name, ratios, TARGETS)
        found[name] = {"onnx": fast, "skops": native, **ratios}
    return found


def _ratio(above: table.Figures, below: table.Figures, name: str) -> float:
    return round(float(above[name]) / max(float(below[name]), 1e-9), 3)


def main() -> None:
    options = table.options(__doc__, "requests", whole=5000, quick=200)
    machine = table.machine()
    found = compared(options.size)
    table.write(options.json, {"machine": machine, **found})


if __name__ == "__main__":
    main()
