"""From the start of a server process to its first 200: how long, and on what it is spent.

Run from the root of the tree: `python -m tests.bench.server_start [--repeat N] [--json FILE]`.
Each model is packed with ONNX and skops and put into a store on this machine, then served from
either by a new process, several times; the first prediction is asked for until it is answered. Then
once more under `-X importtime`, to see which library the imports are spent on. Medians; ratios
matter more than absolute numbers, which are those of this machine at this time. The server has the
packages of its image; with `--quick` those of this environment, and no large forest.
"""

import json
import os
import re
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterable
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.base import ClassifierMixin
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier
from tests.bench import table
from tests.bench.peer_servers import our_python
from tests.unit.server import onnx_packages, packages
from tests.unit.server.bucket import Bucket
from tests.unit.server.servers import SOURCES, Server, serve

IMPORTED = (
    "tidemill_server.formats.sklearn_model",
    "tidemill_server.probe.examine",
    "tidemill_server.probe.child",
    "tidemill_server.process",
)
SHOWN = 14
STEP_SECONDS = 0.002
_MEMORY = re.compile(r"^(Rss|Pss):\s+(\d+) kB$", re.MULTILINE)
_PEAK = re.compile(r"^VmHWM:\s+(\d+) kB$", re.MULTILINE)
_IMPORT = re.compile(r"^import time:\s+(\d+) \|\s+\d+ \|\s+(\S+)$", re.MULTILINE)
LARGE = "forest-large"


def fitted(estimator: ClassifierMixin, count: int, noise: float = 0.0) -> packages.Model:
    """Some of the classes drawn anew: what a tree then learns by heart makes it large."""
    rows, target = packages.numbers(count)
    drawn = np.random.default_rng(0).random((2, count))
    target = np.where(drawn[0] < noise, drawn[1] > 0.5, target).astype(int)
    estimator.fit(rows, target)
    return packages.Model(estimator, rows, packages.signature(packages.labels("INT64")))


def forest_of_100(count: int = 2000, noise: float = 0.0) -> packages.Model:
    return fitted(RandomForestClassifier(n_estimators=100, random_state=0), count, noise)


def boosted_of_100() -> packages.Model:
    return fitted(HistGradientBoostingClassifier(max_iter=100, random_state=0), 2000)


# With whether the graph takes doubles; trees take floats.
MODELS: dict[str, tuple[Callable[[], packages.Model], bool]] = {
    "logistic": (packages.logistic, True),
    "boosted-100": (boosted_of_100, False),
    "forest-100": (forest_of_100, False),
    LARGE: (lambda: forest_of_100(20_000, noise=0.5), False),
}
RUNTIMES = {"ONNX": "Onnx", "skops": "Native"}


def start(
    bucket: Bucket, digest: str, row: list[float], python: str, runtime: str
) -> dict[str, float]:
    """One start: seconds to the first 200, seconds of each stage, memory in MiB after it."""
    with tempfile.TemporaryDirectory() as folder:
        began = time.perf_counter()
        with serve(bucket, digest, Path(folder), python=python, TIDEMILL_RUNTIME=runtime) as server:
            server.listen()
            listening = time.perf_counter() - began
            while not _answers(server, row):
                threading.Event().wait(STEP_SECONDS)
            first = time.perf_counter() - began
            server.wait_for_log("ready")
            pid = server.process.pid
            found = {"first_200": first, "listening": listening, "cpu": _cpu(pid), **memory(pid)}
            found["peak_mib"] = _peak(pid)
            for line in server.lines:
                if line["message"] == "imported":
                    found["imports"] = line["seconds"]
                if line["message"] == "stage done":
                    found[line["stage"]] = line["seconds"]
            return found


def _answers(server: Server, row: list[float]) -> bool:
    tensor = {"name": "x", "shape": [1, len(row)], "datatype": "FP64", "data": row}
    body = json.dumps({"inputs": [tensor]})
    connection = HTTPConnection("127.0.0.1", server.port, timeout=10)
    connection.request("POST", "/v2/models/power/infer", body)
    response = connection.getresponse()
    said = response.read().decode()
    connection.close()
    if response.status not in (200, 503):
        raise SystemExit(f"the server answers {response.status}: {said}")
    return response.status == 200


def memory(pid: int) -> dict[str, float]:
    """Memory of a process in MiB."""
    text = Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="ascii")
    sizes = _MEMORY.findall(text)
    return {f"{name.lower()}_mib": round(int(kib) / 1024, 1) for name, kib in sizes}


def _peak(pid: int) -> float:
    found = _PEAK.findall(Path(f"/proc/{pid}/status").read_text(encoding="ascii"))
    return round(int(found[0]) / 1024, 1)


def _cpu(pid: int) -> float:
    """Processor time of the process and of its child: what a busy machine does not change much."""
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    return sum(map(int, fields[11:15])) / os.sysconf("SC_CLK_TCK")


def imports(python: str) -> dict[str, float]:
    """Milliseconds of a module's own code, added up by the library that it belongs to."""
    command = [python, "-X", "importtime", "-c", f"import {', '.join(IMPORTED)}"]
    env = {**os.environ, "PYTHONPATH": SOURCES, "OMP_NUM_THREADS": "1"}
    ended = subprocess.run(command, env=env, capture_output=True, text=True, check=True)
    spent: dict[str, float] = defaultdict(float)
    for own, name in _IMPORT.findall(ended.stderr):
        spent[_library(name)] += int(own) / 1000
    return dict(sorted(spent.items(), key=lambda item: -item[1]))


def _library(module: str) -> str:
    top = module.split(".", maxsplit=1)[0]
    if module.startswith(("scipy.stats", "sklearn.utils._testing")):
        return ".".join(module.split(".")[:3])
    return "standard library" if top.lstrip("_") in sys.stdlib_module_names else top


def measure(repeat: int, python: str, names: Iterable[str]) -> dict[str, Any]:
    """All models, all starts, and the imports."""
    models: dict[str, Any] = {}
    for name in names:
        make, double = MODELS[name]
        model = make()
        files = onnx_packages.beside(model, double=double)
        for shown, runtime in RUNTIMES.items():
            with Bucket() as bucket:
                digest = packages.publish(bucket, files)
                asked = (bucket, digest, model.rows[1].tolist(), python, runtime)
                runs = [start(*asked) for _ in range(repeat + 1)]
            # The first start reads everything from disk and writes what it compiles.
            models[f"{name}, {shown}"] = {
                key: round(statistics.median(run[key] for run in runs[1:]), 3) for key in runs[0]
            }
    return {"models": models, "imports_ms": imports(python), "repeat": repeat}


def show(found: dict[str, Any]) -> None:
    """The two tables."""
    keys = list(next(iter(found["models"].values())))
    print(f"{'median of ' + str(found['repeat']):22}" + "".join(f"{key:>11}" for key in keys))
    for name, model in found["models"].items():
        print(f"{name:22}" + "".join(f"{model[key]:11.3f}" for key in keys))
    total = sum(found["imports_ms"].values())
    print(f"\nimports for skops, ms of own code (all {total:.0f})")
    for library, spent in list(found["imports_ms"].items())[:SHOWN]:
        print(f"{library:34}{spent:8.1f} {spent / total:6.1%}")


def main() -> None:
    options = table.options(__doc__, "repeat", whole=5, quick=1)
    machine, quick = table.machine(), options.size == 1
    names = [name for name in MODELS if not (quick and name == LARGE)]
    found = measure(options.size, sys.executable if quick else our_python(), names)
    show(found)
    table.write(options.json, {"machine": machine, **found})


if __name__ == "__main__":
    main()
