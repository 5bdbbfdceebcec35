"""A poll of a source in which nothing has changed: listed and fingerprinted, nothing read.

Run from the root of the tree: `python -m tests.bench.polling [--objects N] [--json FILE]`. A MinIO
is started for it on this machine. What is measured is the operator's own code from the spec of a
Dataset to the fingerprint, three times after one time that does not count; then requests are
counted once more by a proxy, which is not measured.
"""

import asyncio
import base64
import resource
import statistics
import tempfile
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

from tests.bench import table
from tests.contract.minio_server import minio_server
from tests.contract.proxy import Asked, proxy
from tests.contract.s3_server import BUCKET

from tidemill.api.v1alpha1.dataset import DatasetSpec
from tidemill.api.v1alpha1.dataset_status import DatasetStatus
from tidemill.children.platform import Platform
from tidemill.dataset.observe import list_source
from tidemill.dataset.observed import Listing
from tidemill.engine.context import Context
from tidemill.engine.key import Key
from tidemill.store.config import StoreConfig
from tidemill.store.objects import ObjectStore

ROUNDS = 3
AT_ONCE = 100
PREFIX = "power/2026/"
SPEC = DatasetSpec.model_validate(
    {
        "source": {
            "s3": {
                "bucket": BUCKET,
                "prefix": PREFIX,
                "format": "Parquet",
                "include": ["**/*.parquet"],
                "credentialsRef": {"name": "raw-reader"},
            }
        }
    }
)
TARGETS = {"one poll, s": "≤ 2", "objects read": "0"}


async def fill(config: StoreConfig, count: int) -> None:
    """Deliver small objects, by day as deliveries are."""
    store = ObjectStore(config)
    for start in range(0, count, AT_ONCE):
        numbers = range(start, min(start + AT_ONCE, count))
        keys = [f"{PREFIX}day={n // 100:03}/part-{n:06}.parquet" for n in numbers]
        await asyncio.gather(*(store.put(key, b"PAR1") for key in keys))


async def poll(config: StoreConfig) -> Listing:
    """Look at the source as a reconcile does, with keys from a Secret."""
    names = {"AWS_ACCESS_KEY_ID": config.access_key, "AWS_SECRET_ACCESS_KEY": config.secret_key}
    data = {name: base64.b64encode(value.encode()).decode() for name, value in names.items()}
    secret = {"metadata": {"name": "raw-reader"}, "data": data}

    async def get(*_: object) -> dict[str, Any]:
        return secret

    context = cast("Context", SimpleNamespace(client=SimpleNamespace(get=get)))
    platform = cast("Platform", SimpleNamespace(store_config=config))
    key = Key("Dataset", "power", "power")
    found = await list_source(context, platform, key, SPEC, DatasetStatus(conditions=[]))
    if not isinstance(found, Listing):
        raise SystemExit(f"the source cannot be listed: {found.message}")
    return found


async def stalls(longest: list[float]) -> None:
    """Note for how long nothing else could run in this thread, as probes and other keys must."""
    while True:
        began = time.perf_counter()
        await asyncio.sleep(0.001)
        longest.append(time.perf_counter() - began)


async def measured(config: StoreConfig, count: int) -> table.Figures:
    await fill(config, count)
    first = await poll(config)
    took, processor = [], time.process_time()
    pauses: list[float] = []
    watching = asyncio.create_task(stalls(pauses))
    for _ in range(ROUNDS):
        began = time.perf_counter()
        again = await poll(config)
        took.append(time.perf_counter() - began)
        if again != first or again.objects != count:
            raise SystemExit("nothing was changed, and the listing is another")
    watching.cancel()
    return {
        "one poll, s": statistics.median(took),
        "CPU of one poll, s": (time.process_time() - processor) / ROUNDS,
        "longest pause of the event loop, s": max(pauses),
        "peak RSS, MiB": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    }


def counted(config: StoreConfig) -> table.Figures:
    """What is asked of the store in one poll."""
    with proxy(config) as between:
        asyncio.run(poll(between.before(config)))
        asked: list[Asked] = between.asked
    lists = sum(one.lists for one in asked)
    return {"pages listed": lists, "objects read": len(asked) - lists}


def main() -> None:
    options = table.options(__doc__, "objects", whole=10_000, quick=1_000)
    machine = table.machine()
    with tempfile.TemporaryDirectory() as folder, minio_server(Path(folder)) as server:
        figures = asyncio.run(measured(server.config, options.size)) | counted(server.config)
    table.show(f"{options.size:,} objects, none of them changed", figures, TARGETS)
    table.write(options.json, {"machine": machine, "objects": options.size, **figures})


if __name__ == "__main__":
    main()
