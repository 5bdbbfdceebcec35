"""Which model was being asked when the process ended without a word, and what follows from it.

A library may end the whole process in the middle of a prediction; that cannot be caught, and would
end it again as soon as the same is asked. So each model has a byte in a file, which is 1 while it
is asked: the file outlives the process, as the volume outlives the container. Who was asked alone
when the process ended is blamed; where several were, they take turns from then on, so that the next
time one alone is. Who is blamed a second time is loaded no more in this pod.
"""

import json
import logging
import mmap
from collections.abc import Iterable, Set
from concurrent.futures import Executor, ThreadPoolExecutor
from pathlib import Path

import numpy as np

from tidemill_server.batching.batcher import Model
from tidemill_server.exits import MODEL_UNLOADABLE, Refused

ENDS = 2  # times that one is blamed before it is loaded no more
SUFFIX = ".asked"
_RECORD = "blame.json"

log = logging.getLogger(__name__)


class Blame:
    """Reads what was left of the process before, in a folder of its own.

    A `model` is a word for one version of one model, which names a file.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        counts, before = self._read()
        asked = {path.stem for path in folder.glob(f"*{SUFFIX}") if path.read_bytes()[:1] == b"\1"}
        for path in folder.glob(f"*{SUFFIX}"):
            path.unlink()
        self._suspects = narrowed(before, asked)
        if asked and len(self._suspects) == 1:
            (found,) = self._suspects
            counts[found] = counts.get(found, 0) + 1
        self._counts = counts
        if asked:
            log.error("the process ended while models were asked", extra={"asked": sorted(asked)})
            record = {"counts": counts, "suspects": sorted(self._suspects)}
            (folder / _RECORD).write_text(json.dumps(record))
        self._alone = ThreadPoolExecutor(max_workers=1, thread_name_prefix="suspects")

    def check(self, model: str) -> None:
        """Raises Refused for one that is loaded no more."""
        count = self._counts.get(model, 0)
        if count >= ENDS:
            raise Refused(
                MODEL_UNLOADABLE,
                f"the server's process ended {count} times while this model was asked, so this pod "
                "loads it no more: mend the model, or delete the pod to have it tried anew",
            )

    def thread(self, model: str) -> Executor | None:
        """In which it is to be asked, if it must not be while another suspect is."""
        several = len(self._suspects) > 1
        return self._alone if several and model in self._suspects else None

    def witness(self, model: str, asked: Model) -> Model:
        """The model, with somebody who sees when it is asked."""
        file = self._folder / f"{model}{SUFFIX}"
        file.unlink(missing_ok=True)  # one that is still mapped must not get shorter
        file.write_bytes(b"\0")
        with file.open("r+b") as opened:
            return Witnessed(asked, mmap.mmap(opened.fileno(), 1))

    def _read(self) -> tuple[dict[str, int], Set[str]]:
        """What was known before; nothing where that is not there, or was cut short."""
        try:
            record = json.loads((self._folder / _RECORD).read_bytes())
            return dict(record["counts"]), set(record["suspects"])
        except (OSError, ValueError, KeyError, TypeError):
            return {}, set()


def narrowed(before: Set[str], asked: Set[str]) -> Set[str]:
    """Who may have ended the process: those that were asked each time, if there are any."""
    if not asked:
        return before
    return (before & asked) or asked


class Witnessed:
    """A model of which a byte says whether it is being asked. By one at a time: it has a thread."""

    def __init__(self, model: Model, place: mmap.mmap) -> None:
        self._model, self._place = model, place

    def predict(self, matrix: np.ndarray, wanted: Iterable[str]) -> dict[str, np.ndarray]:
        self._place[0] = 1
        try:
            return self._model.predict(matrix, wanted)
        finally:
            self._place[0] = 0
