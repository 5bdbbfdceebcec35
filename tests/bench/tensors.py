"""What a request costs the server: one row and a hundred, as JSON, as bytes, and with names.

Run from the root of the tree: `python -m tests.bench.tensors [--seconds N] [--json FILE]`. A server
of a logistic regression, sixteen connections, all forms in turn and over again; medians. Where
TIDEMILL_BENCH_BEFORE names another tree, its server is asked in the same turns. Ratios count, since
the client is a program of Python that shares the machine.
"""

import contextlib
import json
import os
import socket
import statistics
import struct
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path

from tests.bench import table
from tests.unit.server import packages, servers
from tests.unit.server.bucket import Bucket

CONNECTIONS = 16
ROUNDS = 5
INFER, PREDICT = "/v2/models/power/infer", "/v1/predict"
TARGETS = {"one row, after / before": "≥ 0.97", "100 rows, bytes / JSON": "≥ 2"}


def http(path: str, body: bytes, *headers: str) -> bytes:
    lines = (f"POST {path} HTTP/1.1", "host: x", f"content-length: {len(body)}", *headers, "", "")
    return "\r\n".join(lines).encode() + body


def as_json(rows: int) -> bytes:
    values = [0.5, 1.5, 2.0, 1.0] * rows
    tensor = {"name": "rows", "shape": [rows, 4], "datatype": "FP64", "data": values}
    return http(INFER, json.dumps({"inputs": [tensor]}).encode())


def as_bytes(rows: int) -> bytes:
    tail = struct.pack("<4d", 0.5, 1.5, 2.0, 1.0) * rows
    size = {"binary_data_size": len(tail)}
    tensor = {"name": "rows", "shape": [rows, 4], "datatype": "FP64", "parameters": size}
    document = {"inputs": [tensor], "parameters": {"binary_data_output": True}}
    head = json.dumps(document).encode()
    return http(INFER, head + tail, f"inference-header-content-length: {len(head)}")


def as_rows(rows: int) -> bytes:
    row = {"price": 0.5, "demand": 1.5, "day": 2, "peak": True}
    return http(PREDICT, json.dumps([row] * rows).encode(), "content-type: application/json")


def rate(port: int, request: bytes, seconds: float) -> float:
    """Answers in a second, over all connections."""
    end = time.perf_counter() + seconds
    counts = [0] * CONNECTIONS

    def ask(place: int) -> None:
        with socket.create_connection(("127.0.0.1", port)) as connection:
            while time.perf_counter() < end:
                connection.sendall(request)
                received = connection.recv(1 << 20)
                head, _, body = received.partition(b"\r\n\r\n")
                if not head.startswith(b"HTTP/1.1 200"):
                    raise SystemExit(received[:500].decode(errors="replace"))
                length = int(head.lower().partition(b"content-length:")[2].split(b"\r\n")[0])
                missing = length - len(body)
                while missing > 0:
                    missing -= len(connection.recv(1 << 20))
                counts[place] += 1

    threads = [threading.Thread(target=ask, args=(place,)) for place in range(CONNECTIONS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return sum(counts) / seconds


@contextlib.contextmanager
def running(tree: Path | None) -> Iterator[int]:
    """The port of a server of this tree's, or of another's."""
    own = servers.SOURCES
    if tree is not None:
        servers.SOURCES = os.pathsep.join(str(tree / p) for p in ("operator", "images/server"))
    try:
        with Bucket() as bucket, tempfile.TemporaryDirectory() as folder:
            digest = packages.publish(bucket, packages.logistic().files())
            with servers.serve(bucket, digest, Path(folder)) as server:
                yield server.ready().port
    finally:
        servers.SOURCES = own


def measure(seconds: float, before: Path | None) -> table.Figures:
    """All forms in turn, some rounds; the median of each."""
    forms = {
        "one row as JSON": as_json(1),
        "one row as bytes": as_bytes(1),
        "one row with names": as_rows(1),
        "100 rows as JSON": as_json(100),
        "100 rows as bytes": as_bytes(100),
        "100 rows with names": as_rows(100),
    }
    found: dict[str, list[float]] = {name: [] for name in forms}
    earlier: list[float] = []
    with contextlib.ExitStack() as stack:
        port = stack.enter_context(running(None))
        old = stack.enter_context(running(before)) if before else None
        for _ in range(ROUNDS):
            for name, request in forms.items():
                found[name].append(rate(port, request, seconds))
                if old and name == "one row as JSON":
                    earlier.append(rate(old, request, seconds))
    rates = {name: statistics.median(values) for name, values in found.items()}
    ratios = {"100 rows, bytes / JSON": rates["100 rows as bytes"] / rates["100 rows as JSON"]}
    if earlier:
        pairs = zip(found["one row as JSON"], earlier, strict=True)
        ratios["one row, after / before"] = statistics.median(new / past for new, past in pairs)
    return {**{f"{name}, requests/s": value for name, value in rates.items()}, **ratios}


def main() -> None:
    before = os.environ.get("TIDEMILL_BENCH_BEFORE")
    options = table.options(__doc__, "seconds", whole=3, quick=1)
    machine = table.machine()
    figures = measure(options.size, Path(before) if before else None)
    table.show("one server, 16 connections", figures, TARGETS)
    table.write(options.json, {"machine": machine, **figures})


if __name__ == "__main__":
    main()
