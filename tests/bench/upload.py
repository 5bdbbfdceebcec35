"""A model package sent to the store, against the bare client sending the same bytes.

Run from the root of the tree: `python -m tests.bench.upload [--mebibytes N] [--json FILE]`. A MinIO
beside it. Tidemill checks the manifest and sends each file, then the manifest; the client sends the
largest file alone. Medians of five rounds in turn.
"""

import os
import statistics
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

from minio import Minio
from tests.bench import table
from tests.contract.minio_server import minio_server

from tidemill.store import package as packages
from tidemill_runner import package
from tidemill_runner.storage import Storage

ROUNDS = 5
TARGETS = {"rate, of the bare client's": "≥ 0.8"}


def packed_of(root: Path, mebibytes: int) -> package.Packed:
    """A package of one large model: nobody asks here what is in it."""
    folder = root / "package"
    folder.mkdir()
    with (folder / packages.MODEL).open("wb") as file:
        for _ in range(mebibytes):
            file.write(os.urandom(1 << 20))
    for name in ("signature.json", "environment.json"):
        (folder / name).write_text("{}")
    return package.Packed(folder, *packages.build_manifest(folder))


def seconds(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def measured(mebibytes: int) -> table.Figures:
    ours, bare = [], []
    with tempfile.TemporaryDirectory() as root, minio_server(Path(root, "s3")) as server:
        packed = packed_of(Path(root), mebibytes)
        largest = packed.directory / packages.MODEL
        client, bucket = server.client(), server.config.bucket
        with Storage(server.config) as storage:
            for number in range(ROUNDS):
                prefix = f"models/bench/{number}/"
                bare.append(seconds(partial(_bare, client, bucket, largest)))
                ours.append(seconds(partial(package.upload, storage, packed, prefix)))
    run, script = statistics.median(ours), statistics.median(bare)
    return {
        "Tidemill, MiB/s": mebibytes / run,
        "bare client, MiB/s": mebibytes / script,
        "rate, of the bare client's": script / run,
    }


def _bare(client: Minio, bucket: str, path: Path) -> None:
    client.fput_object(bucket, "bare/model.skops", str(path))


def main() -> None:
    options = table.options(__doc__, "mebibytes", whole=512, quick=32)
    machine = table.machine()
    figures = measured(options.size)
    table.show(f"a package of {options.size} MiB", figures, TARGETS)
    table.write(options.json, {"machine": machine, "mebibytes": options.size, **figures})


if __name__ == "__main__":
    main()
