"""Many small objects in one delivery, against copying them one by one.

Run from the root of the tree: `python -m tests.bench.objects [--objects N] [--json FILE]`. Each
object is a CSV of 50 rows in a MinIO beside it. The ratio is of objects a second: 1 is as fast as a
GET, a HEAD and a PUT of each, one after the other, with nothing read of what is in them.
"""

import io
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tests.bench import table
from tests.contract.minio_server import minio_server
from tests.contract.workbench import Workbench
from tests.support.buckets import make_bucket

from tidemill_runner.exits import Exit

ROWS = 50
COPIES = "copies"


def content(number: int) -> bytes:
    rows = (f"{number},{row},{'ud'[row % 2]}\n" for row in range(ROWS))
    return ("a,b,label\n" + "".join(rows)).encode()


def deliver(bench: Workbench, count: int) -> None:
    bench.deliver("0.csv", content(0))
    with ThreadPoolExecutor(8) as threads:
        list(threads.map(lambda n: bench.deliver(f"{n}.csv", content(n)), range(1, count)))


def copied(bench: Workbench) -> float:
    """The seconds that copying takes, one object after the other."""
    client = bench.client
    make_bucket(client, COPIES)
    began = time.monotonic()
    for info in client.list_objects(bench.bucket, prefix=bench.prefix, recursive=True):
        key = str(info.object_name)
        client.stat_object(bench.bucket, key)
        response = client.get_object(bench.bucket, key)
        data = response.read()
        response.release_conn()
        client.put_object(COPIES, key, io.BytesIO(data), len(data))
    return time.monotonic() - began


def ingested(bench: Workbench) -> float:
    """The seconds that an ingest takes, from the listing to the version."""
    began = time.monotonic()
    ended = bench.ingest()
    if ended.exit is not Exit.OK:
        raise SystemExit(ended.message)
    return time.monotonic() - began


def measured(count: int) -> table.Figures:
    with tempfile.TemporaryDirectory() as folder, minio_server(Path(folder)) as server:
        bench = Workbench(server, Path(folder, "pods"))
        deliver(bench, count)
        bare, first, again = copied(bench), ingested(bench), ingested(bench)
        return {
            "copied one by one, ms each": 1000 * bare / count,
            "ingested, ms each": 1000 * first / count,
            "ingested, of the speed of copying": bare / first,
            "ingested again, ms each": 1000 * again / count,
        }


def main() -> None:
    options = table.options(__doc__, "objects", whole=10_000, quick=100)
    figures = measured(options.size)
    table.show(f"{options.size:,} objects of {ROWS} rows", figures)
    table.write(options.json, {"machine": table.machine(), "objects": options.size, **figures})


if __name__ == "__main__":
    main()
