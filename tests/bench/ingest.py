"""A large delivery through the whole ingest: does memory stay flat, and how long does it take?

Run from the root of the tree: `python -m tests.bench.ingest [--rows N] [--json FILE]`. A Parquet
file of 13 columns lies in the bucket; a Dataset with checks and a schema reads it in a pod that may
have 1 GiB of memory, and a second one a tenth of the rows. Memory is what the runner holds for
itself, at the highest of what was seen a few times a second; pages of files, which the kernel takes
back when it needs them, are not in it. Times are from the pod's start to the version's record, once
each.
"""

import contextlib
import re
import secrets
import tempfile
import time
from pathlib import Path
from typing import Any

from tests.apiserver.kubectl import RefusedError
from tests.bench import scan, table
from tests.bench.place import installed_kubectl
from tests.e2e import specs
from tests.e2e.raw_store import RawStore, raw_store
from tests.e2e.specs import RAW_BUCKET, RAW_SECRET
from tests.e2e.world import World, settled, summary, temporary_namespace

LIMIT_SECONDS = 1800.0
MEMORY = "1Gi"
MIB = 1024 * 1024
FLAT = "peak memory, of that for a tenth of the rows"
PEAK = "peak memory of the process, MiB"
TARGETS = {"read in a pod of 1 GiB": "yes", PEAK: "≤ 300"}


def deliver(raw: RawStore, key: str, rows: int) -> int:
    """Make the file and put it into the bucket; gives its size in bytes."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "rows.parquet")
        scan.deliver(path, rows)
        raw.client.fput_object(bucket_name=RAW_BUCKET, object_name=key, file_path=str(path))
        return path.stat().st_size


def asked(prefix: str) -> dict[str, Any]:
    """Say what the Dataset is."""
    spec = specs.dataset(prefix, form="Parquet")
    resources = {"limits": {"memory": MEMORY}, "requests": {"memory": "256Mi"}}
    return {
        **spec,
        "schema": {"columns": scan.COLUMNS},
        "checks": scan.CHECKS,
        "template": {"resources": resources},
    }


def ingested(world: World, raw: RawStore, name: str, rows: int) -> table.Figures:
    """Deliver so many rows and see what reading them costs."""
    prefix = f"{world.namespace}/{name}/"
    size = deliver(raw, f"{prefix}rows.parquet", rows)
    world.apply("Dataset", name, asked(prefix))
    began, peak, deadline = 0.0, 0, time.monotonic() + LIMIT_SECONDS
    while not settled(body := world.read("Dataset", name)):
        now = time.monotonic()
        if now > deadline:
            raise SystemExit(f"not ingested within {LIMIT_SECONDS:.0f} s: {body.get('status')}")
        if found := memory(world):
            began, peak = began or now, max(peak, found)
    took = time.monotonic() - began
    told = summary(body)
    good = told["status"] == "True" and body["status"]["rows"] == rows
    raw.remove(f"{prefix}rows.parquet")
    return {
        "rows": rows,
        "file, MiB": size / MIB,
        "read in a pod of 1 GiB": "yes" if good else f"{told['reason']}: {told['message']}",
        "seconds": took,
        "rows per second": rows / took,
        "MiB per second": size / MIB / took,
        PEAK: peak / MIB,
    }


def memory(world: World) -> int:
    """Read what the runner holds for itself at this moment, in bytes; 0 when there is none."""
    pods = world.list("pods", "-l", "tidemill.dev/kind=Dataset")
    running = [pod for pod in pods if pod["status"].get("phase") == "Running"]
    for pod in running:
        with contextlib.suppress(RefusedError):
            name = pod["metadata"]["name"]
            text = world.kubectl("exec", "-n", world.namespace, name, "--", "cat", "/proc/1/status")
            if found := re.search(r"RssAnon:\s+(\d+) kB", text):
                return int(found[1]) * 1024
    return 0


def measure(rows: int) -> table.Figures:
    """Ingest a tenth of the rows, then all."""
    kubectl = installed_kubectl()
    with (
        raw_store(kubectl) as raw,
        temporary_namespace(kubectl, f"bench-ingest-{secrets.token_hex(3)}") as world,
    ):
        world.secret(RAW_SECRET, raw.reader)
        tenth = ingested(world, raw, "tenth", max(rows // 10, 1))
        whole = ingested(world, raw, "whole", rows)
    peaks = [one[PEAK] for one in (whole, tenth)]
    return {**whole, FLAT: peaks[0] / peaks[1] if peaks[1] else 0.0, "a tenth": tenth}


def main() -> int:
    """Measure and show."""
    asked_for = table.options(__doc__, "rows", whole=20_000_000, quick=200_000)
    figures = measure(asked_for.size)
    table.show(f"One delivery of {asked_for.size:,} rows, through a Dataset", figures, TARGETS)
    table.write(asked_for.json, {"machine": table.machine(), "ingest": figures})
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
