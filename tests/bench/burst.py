"""A thousand TrainingRuns at once: how fast Jobs come, how long keys wait, what it costs.

Run from the root of the tree: `python -m tests.bench.burst [--runs N] [--json FILE]`. The operator
is the one in the cluster; it is restarted before, so that its peak of memory is this burst's. Pods
run on fake nodes and end at once (`tests/cluster/fake_nodes.py`), which come and go with it.
"""

import asyncio
import secrets
import subprocess
import sys
import time
from datetime import datetime

from tests.bench import audit, table
from tests.bench.fleet import POLL_SECONDS, Fleet, fleet
from tests.bench.place import ROOT, Place, installed
from tests.bench.process import Samples, quantile, usage

LIMIT_SECONDS = 400.0
NODES = 3
OURS = {"name": "trainingrun"}
WAITED = "workqueue_queue_duration_seconds"
TARGETS = {
    "Jobs created per second": "≥ 50",
    "API calls per run": "≤ 12",
    "peak RSS, MiB": "≤ 256",
    "runs that ended well": "all",
}


async def measure(place: Place, count: int) -> table.Figures:
    """Make one burst and follow it to its end."""
    async with fleet(place, f"bench-burst-{secrets.token_hex(3)}") as runs:
        before, used = Samples(place.metrics()), usage(place.proc)
        began = time.monotonic()
        await runs.launch(count)
        created = time.monotonic() - began
        done = await _until_all_succeeded(runs, count)
        took = time.monotonic() - began
        after, spent = Samples(place.metrics()), usage(place.proc)
        jobs = await _job_times(runs)
        reconciles = _difference(before, after, "controller_runtime_reconcile_total")
        cpu = spent.cpu - used.cpu
        figures: table.Figures = {
            "runs": count,
            "runs that ended well": done,
            "seconds to create the runs": created,
            "seconds until all had ended": took,
            "Jobs created per second": _rate(jobs),
            "queue latency p50, s": quantile(0.5, before, after, WAITED, OURS),
            "queue latency p99, s": quantile(0.99, before, after, WAITED, OURS),
            "reconciles per run": reconciles / count,
            "writes per run": _difference(before, after, "tidemill_api_writes_total") / count,
            "failed reconciles": _difference(
                before, after, "controller_runtime_reconcile_errors_total"
            ),
            "operator CPU per run, ms": 1000 * cpu / count,
            "operator CPU, share of a core": cpu / took,
            "peak RSS, MiB": spent.peak,
        }
        return figures | _calls(place, runs.namespace, count)


def _calls(place: Place, namespace: str, count: int) -> table.Figures:
    if place.audit is None:
        return {}
    found = list(audit.calls(place.audit, namespace))
    each = {what: round(number / count, 2) for what, number in audit.by_sort(found).items()}
    return {"API calls per run": len(found) / count, "by verb and resource, per run": each}


async def _until_all_succeeded(runs: Fleet, count: int) -> int:
    end, done = time.monotonic() + LIMIT_SECONDS, 0
    while done < count and time.monotonic() < end:
        await asyncio.sleep(POLL_SECONDS)
        done = await runs.succeeded()
    return done


async def _job_times(runs: Fleet) -> list[float]:
    """Give when each Job was created; the API server keeps whole seconds."""
    found = [run["status"].get("startedAt") for run in await runs.runs()]
    return sorted(datetime.fromisoformat(text).timestamp() for text in found if text)


def _rate(times: list[float]) -> float:
    """Count per second over the time in which they came, its two half seconds included."""
    return len(times) / (times[-1] - times[0] + 1)


def _difference(before: Samples, after: Samples, name: str) -> float:
    return after.total(name) - before.total(name)


def fake_nodes(count: int) -> None:
    """Set the number of fake nodes of the local cluster."""
    program = str(ROOT / "tests/cluster/fake_nodes.py")
    subprocess.run([sys.executable, program, f"--nodes={count}"], check=True)


def main() -> None:
    options = table.options(__doc__, "runs", whole=1000, quick=100)
    with installed() as place:
        fake_nodes(NODES)
        place.stop()
        place.start({})
        machine = table.machine()
        figures = asyncio.run(measure(place, options.size))
        fake_nodes(0)
    table.show(f"{options.size} TrainingRuns at once", figures, TARGETS)
    table.write(options.json, {"machine": machine, **figures})
    if figures["runs that ended well"] != options.size:
        raise SystemExit("not all runs have ended well")


if __name__ == "__main__":
    main()
