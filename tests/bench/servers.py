"""Our server beside MLServer and KServe's, with the same models: rate, latency, memory, start.

Run from the root of the tree: `python -m tests.bench.servers [--seconds N] [--json FILE]`. All run
at once on one core and are asked in turn, over and again, by `wrk` on another; medians of the
rounds. Ours serves each model from ONNX and, as another process, from skops, with the packages of
its image. What a peer cannot do is not asked of it: of the two, none takes binary tensors by REST.
`--quick` asks ours alone, with the packages of this environment.
"""

import json
import os
import re
import shutil
import socket
import statistics
import struct
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from http.client import HTTPConnection
from pathlib import Path

import numpy as np
from sklearn.base import ClassifierMixin
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from tests.bench import table
from tests.bench.peer_servers import REQUIREMENTS, Peer, installed, our_python
from tests.bench.server_start import memory
from tests.unit.server import onnx_packages, packages
from tests.unit.server.bucket import Bucket
from tests.unit.server.servers import serve

ROUNDS = 5
PATIENCE = 120.0
PATH = "/v2/models/power/infer"  # of ours
SERVER_CORE, CLIENT_CORE = 0, 1
Sent = tuple[bytes, dict[str, str]]  # a body and its headers
ONNX, SKOPS = "ours, ONNX", "ours, skops"
RUNTIMES = {ONNX: "Onnx", SKOPS: "Native"}
ONE, HUNDRED, BYTES, CROWD = "1 row", "100 rows", "100 rows, bytes", "1 row, 64 connections"
MODELS: dict[str, tuple[Callable[[], ClassifierMixin], bool]] = {
    "logistic": (lambda: make_pipeline(StandardScaler(), LogisticRegression()), True),
    "forest-100": (lambda: RandomForestClassifier(n_estimators=100, random_state=0), False),
    "boosted": (lambda: HistGradientBoostingClassifier(random_state=0), False),
}
TARGETS = {
    "logistic: 1 row, ONNX / MLServer": "≥ 20",
    "logistic: p99 of 1 row, ONNX / MLServer": "≤ 0.125",
    "forest-100: 1 row, ONNX / MLServer": "≥ 80",
    "boosted: 1 row, ONNX / MLServer": "≥ 18",
    "logistic: 1 row, 64 connections, skops / MLServer": "≥ 12",
    "logistic: 100 rows, ONNX / MLServer": "≥ 5",
    "logistic: 100 rows, bytes, ONNX / MLServer with JSON": "≥ 20",
    "logistic: memory, ONNX / MLServer": "≤ 0.33",
    "logistic: memory, skops / MLServer": "≤ 0.75",
    "logistic: start, ONNX / MLServer": "≤ 0.33",
    "logistic: start, ONNX, s": "≤ 0.5",
    "logistic: start, skops / MLServer": "≤ 0.85",
}


@dataclass(frozen=True)
class Asked:
    """One server that answers: where, and what it took until then."""

    port: int
    path: str
    pid: int
    start: float


@dataclass(frozen=True)
class Rate:
    """What `wrk` has seen: answers a second, the median and the 99th percentile in milliseconds."""

    rate: float
    p50: float
    p99: float


class UnansweredError(SystemExit):
    """Requests were refused, or not answered in time; ends the program where nobody minds."""


def rows() -> tuple[np.ndarray, np.ndarray]:
    return packages.numbers(2000)


def as_json(count: int) -> Sent:
    data = [0.5, 1.5, 2.0, 1.0] * count
    tensor = {"name": "x", "shape": [count, 4], "datatype": "FP64", "data": data}
    body = json.dumps({"inputs": [tensor], "outputs": [{"name": "predict"}]}).encode()
    return body, {"Content-Type": "application/json"}


def as_bytes(count: int) -> Sent:
    tail = struct.pack("<4d", 0.5, 1.5, 2.0, 1.0) * count
    size = {"binary_data_size": len(tail)}
    tensor = {"name": "x", "shape": [count, 4], "datatype": "FP64", "parameters": size}
    wanted = [{"name": "predict", "parameters": {"binary_data": True}}]
    head = json.dumps({"inputs": [tensor], "outputs": wanted}).encode()
    fields = {"Inference-Header-Content-Length": str(len(head))}
    return head + tail, {**fields, "Content-Type": "application/octet-stream"}


QUESTIONS = {
    ONE: (as_json(1), 16),
    HUNDRED: (as_json(100), 16),
    BYTES: (as_bytes(100), 16),
    CROWD: (as_json(1), 64),
}


def free_port() -> int:
    """The first of three ports that nobody has."""
    while True:
        with suppress(OSError), ExitStack() as held:
            first = held.enter_context(socket.create_server(("127.0.0.1", 0)))
            port = int(first.getsockname()[1])
            for further in (port + 1, port + 2):
                held.enter_context(socket.create_server(("127.0.0.1", further)))
            return port


def _answers(port: int, path: str, sent: Sent) -> bool:
    body, headers = sent
    with suppress(OSError):
        connection = HTTPConnection("127.0.0.1", port, timeout=10)
        connection.request("POST", path, body, headers)
        response = connection.getresponse()
        said = response.read()
        if response.status == 500:
            raise SystemExit(f"port {port} answers {response.status}: {said[:500]!r}")
        return response.status == 200
    return False


def first_answer(port: int, path: str, sent: Sent, began: float) -> float:
    """Seconds until it answers."""
    while not _answers(port, path, sent):
        if time.perf_counter() - began > PATIENCE:
            raise SystemExit(f"no answer from port {port}")
        threading.Event().wait(0.01)
    return time.perf_counter() - began


def package(name: str) -> dict[str, bytes]:
    """One of the models, in both formats."""
    make, double = MODELS[name]
    features, target = rows()
    fitted = make().fit(features, target)
    model = packages.Model(fitted, features, packages.signature(packages.labels("INT64")))
    return onnx_packages.beside(model, double=double)


@contextmanager
def ours(
    files: dict[str, bytes],
    runtime: str,
    *,
    first: Sent | None = None,
    env: Mapping[str, str] | None = None,
    python: str = sys.executable,
) -> Iterator[Asked]:
    """Our server with a package, from the format that is wanted; `first` is what it is asked first.

    It is one row of the models here when not given.
    """
    with Bucket() as bucket, tempfile.TemporaryDirectory() as folder:
        digest, began = packages.publish(bucket, files), time.perf_counter()
        told = {"TIDEMILL_RUNTIME": runtime, **(env or {})}
        with serve(bucket, digest, Path(folder), python=python, **told) as server:
            port = server.listen().port
            start = first_answer(port, PATH, first or as_json(1), began)
            yield Asked(port, PATH, server.process.pid, start)


@contextmanager
def another(peer: Peer, name: str, first: Sent | None = None) -> Iterator[Asked]:
    """A peer with the same model."""
    port, path, began = free_port(), f"/v2/models/{name}/infer", time.perf_counter()
    with peer.running(name, port) as pid:
        yield Asked(port, path, pid, first_answer(port, path, first or as_json(1), began))


def on_core(pid: int, core: int) -> None:
    for task in Path(f"/proc/{pid}/task").iterdir():
        os.sched_setaffinity(int(task.name), {core})


def ask(server: Asked, question: str, seconds: float) -> Rate:
    """Send one question over and again."""
    sent, connections = QUESTIONS[question]
    return wrk(server, sent, connections, seconds)


def wrk(server: Asked, sent: Sent, connections: int, seconds: float) -> Rate:
    """The same of any request; raises UnansweredError."""
    body, headers = sent
    text = "".join(f"\\{byte:03}" for byte in body)
    lines = ['wrk.method = "POST"', f'wrk.body = "{text}"']
    lines += [f'wrk.headers["{key}"] = "{value}"' for key, value in headers.items()]
    with tempfile.NamedTemporaryFile("w", suffix=".lua") as script:
        script.write("\n".join(lines))
        script.flush()
        where = f"http://127.0.0.1:{server.port}{server.path}"
        flags = [
            "-t1",
            f"-c{connections}",
            f"-d{max(1, round(seconds))}s",
            "--latency",
            "--timeout=10s",
        ]
        command = ["taskset", "-c", str(CLIENT_CORE), "wrk", *flags, "-s", script.name, where]
        said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    wrong = [line.strip() for line in said.splitlines() if "Non-2xx" in line or "errors" in line]
    if wrong:
        raise UnansweredError(f"port {server.port} does not answer well: {'; '.join(wrong)}")
    rate = _number(said, r"Requests/sec:\s+([\d.]+)()")
    if not rate:
        raise UnansweredError(f"port {server.port} answers nothing within {seconds:.0f} s")
    p50, p99 = (_number(said, rf"\s{share}%\s+([\d.]+)(\w+)") for share in (50, 99))
    return Rate(rate, p50, p99)


def _number(said: str, pattern: str) -> float:
    found = re.search(pattern, said)
    if found is None:
        raise SystemExit(f"wrk says something else:\n{said}")
    return float(found[1]) * {"": 1, "us": 0.001, "ms": 1, "s": 1e3, "m": 6e4}[found[2]]


def measured(name: str, peers: list[Peer], seconds: float, python: str) -> table.Figures:
    """All servers of one model."""
    with ExitStack() as stack:
        files = package(name)
        every = {
            one: stack.enter_context(ours(files, runtime, python=python))
            for one, runtime in RUNTIMES.items()
        }
        every |= {peer.name: stack.enter_context(another(peer, name)) for peer in peers}
        sizes = {one: memory(server.pid)["pss_mib"] for one, server in every.items()}
        for server in every.values():
            on_core(server.pid, SERVER_CORE)
        found = asked(every, seconds, ROUNDS if peers else 1)
        figures: table.Figures = {}
        for question in QUESTIONS:
            for one, rates in found[question].items():
                figures[f"{question}: {one}, requests/s"] = statistics.median(
                    rate.rate for rate in rates
                )
                figures[f"{question}: {one}, p99, ms"] = statistics.median(
                    rate.p99 for rate in rates
                )
        for one, server in every.items():
            figures[f"memory (PSS): {one}, MiB"] = sizes[one]
            figures[f"start to the first 200: {one}, s"] = server.start
        return figures


def asked(every: dict[str, Asked], seconds: float, rounds: int) -> dict[str, dict[str, list[Rate]]]:
    """All questions to all servers, in turn."""
    found: dict[str, dict[str, list[Rate]]] = {question: {} for question in QUESTIONS}
    for _ in range(rounds):
        for question, answers in found.items():
            for one, server in every.items():
                if question != BYTES or one in RUNTIMES:
                    answers.setdefault(one, []).append(ask(server, question, seconds))
    return found


def ratios(name: str, found: table.Figures, peer: str) -> table.Figures:
    """Ours to a peer's."""

    def of(what: str, one: str, unit: str, other: str | None = None) -> float:
        return float(found[f"{what}: {one}, {unit}"] / found[f"{other or what}: {peer}, {unit}"])

    rate, p99 = "requests/s", "p99, ms"
    figures = {
        f"{ONE}, ONNX / {peer}": of(ONE, ONNX, rate),
        f"p99 of {ONE}, ONNX / {peer}": of(ONE, ONNX, p99),
        f"{ONE}, skops / {peer}": of(ONE, SKOPS, rate),
        f"{CROWD}, skops / {peer}": of(CROWD, SKOPS, rate),
        f"{HUNDRED}, ONNX / {peer}": of(HUNDRED, ONNX, rate),
        f"{BYTES}, ONNX / {peer} with JSON": of(BYTES, ONNX, rate, HUNDRED),
        f"memory, ONNX / {peer}": of("memory (PSS)", ONNX, "MiB"),
        f"memory, skops / {peer}": of("memory (PSS)", SKOPS, "MiB"),
        f"start, ONNX / {peer}": of("start to the first 200", ONNX, "s"),
        f"start, skops / {peer}": of("start to the first 200", SKOPS, "s"),
    }
    return {f"{name}: {key}": value for key, value in figures.items()}


def write_rows(path: Path) -> None:
    features, target = rows()
    np.savez(path, rows=features, target=target)


def need_wrk() -> None:
    if not shutil.which("wrk"):
        raise SystemExit("wrk is needed: install the Debian package of that name")


def main() -> None:
    options = table.options(__doc__, "seconds", whole=3, quick=1)
    need_wrk()
    machine, quick = table.machine(), options.size == 1
    asked_for = [] if quick else [installed(one, write_rows) for one in REQUIREMENTS]
    peers = [one for one in asked_for if one is not None]
    python = sys.executable if quick else our_python()
    results: table.Figures = {}
    for name in ("logistic",) if quick else MODELS:
        figures = measured(name, peers, options.size, python)
        table.show(name, figures)
        compared: table.Figures = {
            f"{name}: start, ONNX, s": figures[f"start to the first 200: {ONNX}, s"]
        }
        for peer in peers:
            compared |= ratios(name, figures, peer.name)
        table.show(f"{name}, ratios", compared, TARGETS)
        results[name] = {**figures, **compared}
    table.write(options.json, {"machine": machine, **results})


if __name__ == "__main__":
    main()
