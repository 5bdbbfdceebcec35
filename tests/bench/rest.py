"""Five thousand objects at rest: memory, processor, and how long a restart takes.

Run from the root of the tree: `python -m tests.bench.rest [--objects N] [--json FILE]`. The objects
are TrainingRuns that have ended, each with its Job, so the operator watches twice as many. One is
real, the others are made like it while the operator is stopped. Then it starts, and that is the
restart which is measured. It looks at all objects again after a minute instead of ten, so that the
price of that is seen as well; it is spread over the ten minutes that are its default.
"""

import asyncio
import secrets
import time
from collections.abc import Awaitable, Callable

from tests.bench import audit, table
from tests.bench.burst import NODES, fake_nodes
from tests.bench.fleet import Fleet, fleet
from tests.bench.place import Place, installed
from tests.bench.process import TICKS, Samples, usage

RESYNC_SECONDS, DEFAULT_RESYNC_SECONDS = 75.0, 600.0
QUIET_SECONDS = 20.0
LIMIT_SECONDS = 180.0
ASK_SECONDS = 0.5
TARGETS = {
    "RSS at rest, MiB": "≤ 150",
    "peak RSS, MiB": "≤ 256",
    "CPU at rest, % of a core": "≤ 2",
    "CPU at rest with the resync, %": "≤ 2",
    "seconds until all were reconciled": "≤ 60",
    "writes since the restart": "0",
}


async def measure(place: Place, count: int) -> table.Figures:
    """Fill a namespace, start the operator, watch it do nothing."""
    async with fleet(place, f"bench-rest-{secrets.token_hex(3)}") as runs:
        await runs.launch(1)
        await _one_has_ended(runs)
        place.stop()
        empty = await _started(place, 1)
        place.stop()
        began = time.monotonic()
        await runs.imitate(count - 1)
        filled = time.monotonic() - began
        writes = _writes(place, runs.namespace)
        full = await _started(place, count, resync=RESYNC_SECONDS)
        quiet = await _quiet(place)
        resync = await _resync(place, count)
        settled = usage(place.proc)
        share = 100 * resync * count / DEFAULT_RESYNC_SECONDS
        return {
            "objects": count,
            "watched objects": 2 * count,
            "seconds to make them": filled,
            "RSS with one object, MiB": empty["rss"],
            "RSS at rest, MiB": quiet["rss"],
            "RSS after a resync, MiB": settled.rss,
            "peak RSS, MiB": settled.peak,
            "seconds from the process's start until ready": full["ready"],
            "seconds until all were reconciled": full["seconds"],
            "CPU seconds until all were reconciled": full["cpu"],
            "writes since the restart": _writes_since(place, runs.namespace, writes),
            "CPU at rest, % of a core": 100 * quiet["share"],
            "CPU of one object in a resync, ms": 1000 * resync,
            "CPU at rest with the resync, %": 100 * quiet["share"] + share,
        }


async def _one_has_ended(runs: Fleet) -> None:
    await _until(runs.succeeded, 1)


async def _started(place: Place, count: int, resync: float = 600.0) -> dict[str, float]:
    """Start the operator; give what it took until each object had been reconciled once."""
    place.start({"TIDEMILL_RESYNC_SECONDS": str(resync)})
    ready = _age(place)

    async def reconciled() -> int:
        samples = Samples(place.metrics())
        idle = samples.total("workqueue_depth") == 0
        return int(_reconciles(samples)) if idle else 0

    await _until(reconciled, count)
    used = usage(place.proc)
    return {"ready": ready, "seconds": _age(place), "cpu": used.cpu, "rss": used.rss}


async def _quiet(place: Place) -> dict[str, float]:
    """Let it rest for a while."""
    before, began = usage(place.proc), time.monotonic()
    await asyncio.sleep(QUIET_SECONDS)
    after, ended = usage(place.proc), time.monotonic()
    return {"share": (after.cpu - before.cpu) / (ended - began), "rss": after.rss}


async def _resync(place: Place, count: int) -> float:
    """Wait until all objects have been looked at again; give the CPU seconds of each."""
    first, before = _reconciles(Samples(place.metrics())), usage(place.proc)

    async def reconciled() -> int:
        return int(_reconciles(Samples(place.metrics())) - first)

    await _until(reconciled, count)
    return (usage(place.proc).cpu - before.cpu) / count


async def _until(ask: Callable[[], Awaitable[int]], wanted: int) -> None:
    end = time.monotonic() + LIMIT_SECONDS
    while await ask() < wanted:
        if time.monotonic() > end:
            raise SystemExit(f"not done within {LIMIT_SECONDS:.0f} s")
        await asyncio.sleep(ASK_SECONDS)


def _age(place: Place) -> float:
    """Tell for how long the process has been there."""
    started = int(place.proc("stat").rpartition(")")[2].split()[19]) / TICKS
    return float(place.proc("../uptime").split()[0]) - started


def _reconciles(samples: Samples) -> float:
    labels = {"controller": "trainingrun"}
    return samples.total("controller_runtime_reconcile_total", labels)


def _writes(place: Place, namespace: str) -> int:
    if place.audit is None:
        return 0
    return sum(call.is_write for call in audit.calls(place.audit, namespace))


def _writes_since(place: Place, namespace: str, before: int) -> int | str:
    """Count them where there is an audit log; elsewhere nobody knows."""
    return "not measured" if place.audit is None else _writes(place, namespace) - before


def main() -> None:
    options = table.options(__doc__, "objects", whole=5000, quick=300)
    with installed() as place:
        fake_nodes(NODES)
        machine = table.machine()
        figures = asyncio.run(measure(place, options.size))
        fake_nodes(0)
    table.show(f"{options.size} objects at rest", figures, TARGETS)
    table.write(options.json, {"machine": machine, **figures})


if __name__ == "__main__":
    main()
