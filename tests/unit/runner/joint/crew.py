"""Pods that fit together: trainings of one store, the first in this thread, others beside it.

Run as `python -m tests.unit.runner.joint.crew FOLDER WORKER` it is one of the pods by itself, on
the bucket in the folder; the first prints the digest of the package that it has made.
"""

import json
import logging
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, cast

from tests.unit.runner.search import teams
from tests.unit.runner.search.teams import FolderStorage
from tests.unit.runner.workshop import Workshop, _progress

from tidemill_runner.storage import Storage
from tidemill_runner.train import Stopwatch, Train
from tidemill_runner.train_input import TrainInput


def pod(workshop: Workshop, document: dict[str, Any], name: str) -> Train:
    """The training of one pod, with a scratch space of its own."""
    scratch = workshop.folder / name
    scratch.mkdir(parents=True)
    parsed = cast("TrainInput", workshop.load(document))
    return Train(parsed, cast("Storage", workshop.store), scratch, _progress(), Stopwatch())


@contextmanager
def beside(trains: list[Train]) -> Iterator[list[BaseException]]:
    """Other pods than the first, as long as the context lasts; what they raised."""
    raised: list[BaseException] = []

    def work(train: Train, worker: int) -> None:
        try:
            train.lend_a_hand(worker)
        except BaseException as error:
            raised.append(error)

    threads = [
        threading.Thread(target=work, args=(one, worker), daemon=True)
        for worker, one in enumerate(trains, 1)
    ]
    for thread in threads:
        thread.start()
    yield raised
    for thread in threads:
        thread.join(timeout=60)
    assert not any(thread.is_alive() for thread in threads)


def together(
    workshop: Workshop,
    ingested: dict[str, Any],
    spec: dict[str, Any],
    workers: int = 2,
    **changed: Any,
) -> dict[str, Any]:
    """Train with so many pods, of a document with such changes; the result."""
    document = {**workshop.train_document(ingested, spec), "workers": workers, **changed}
    tried = len(list(workshop.folder.iterdir()))
    pods = [pod(workshop, document, f"pod-{tried}-{n}") for n in range(workers)]
    with beside(pods[1:]) as raised:
        result = pods[0].run()
    assert raised == []
    return result


def clear(workshop: Workshop) -> None:
    """Take away what pods have left for each other, as is done at the end of a run."""
    for key in [key for key in workshop.store.objects if "/parts/" in key]:
        del workshop.store.objects[key]


def start(folder: Path, worker: int) -> subprocess.Popen[str]:
    """A pod as a process; what it says is in a file beside its name."""
    return teams.start(folder, worker, __name__)


def main() -> None:
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    folder, worker = Path(sys.argv[1]), int(sys.argv[2])
    document = json.loads((folder / "document.json").read_text())
    own = Workshop(folder / f"process-{os.getpid()}", store=FolderStorage(folder / "bucket"))
    own.folder.mkdir()
    train = pod(own, document, "scratch")
    if worker:
        train.lend_a_hand(worker)
    else:
        sys.stdout.write(json.dumps(train.run()["artifact"]))


if __name__ == "__main__":
    main()
