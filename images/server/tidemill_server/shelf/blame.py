"""Which model was loaded or asked when the process ended without a word, and what follows from it.

A library may end the whole process in the middle of a load or a prediction; that cannot be caught,
and would end it again as soon as the same is done. So each model has a byte in a file, which tells
while it is loaded or asked: the file outlives the process, as the volume outlives the container.
Who was loaded then, one at a time, is blamed; else who was asked alone. Where several were asked,
they take turns from then on, so that the next time one alone is. Who is blamed a second time is
loaded no more in this pod.
"""

import json
import logging
import mmap
from collections.abc import Callable, Iterable, Iterator, Mapping, Set
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

import numpy as np

from tidemill_server.batching.batcher import Model
from tidemill_server.exits import MODEL_UNLOADABLE, Refused
from tidemill_server.explain.explainer import Explains, Explanation

ENDS = 2  # times that one is blamed before it is loaded no more
SUFFIX = ".asked"
IDLE, ASKED, LOADED = b"\0", b"\1", b"\2"
T = TypeVar("T")
_RECORD = "blame.json"

log = logging.getLogger(__name__)


class Blamed(Refused):
    """Trying again cannot help in this pod."""


class Blame:
    """Reads what was left of the process before, in a folder of its own.

    A `model` is a word for one version of one model, which names a file.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        counts, before = self._read()
        left = {path.stem: path.read_bytes()[:1] for path in folder.glob(f"*{SUFFIX}")}
        busy = {model for model, byte in left.items() if byte in (ASKED, LOADED)}
        asked = {model for model in busy if left[model] == LOADED} or busy
        self._suspects = narrowed(before, asked)
        if asked and len(self._suspects) == 1:
            (found,) = self._suspects
            counts[found] = counts.get(found, 0) + 1
        self._counts = counts
        if asked:
            log.error("the process ended while models were asked", extra={"asked": sorted(asked)})
            self._write({"counts": counts, "suspects": sorted(self._suspects)})
        self._clear()
        self._alone = ThreadPoolExecutor(max_workers=1, thread_name_prefix="suspects")

    def check(self, model: str) -> None:
        """Raises Blamed for one that is loaded no more."""
        count = self._counts.get(model, 0)
        if count >= ENDS:
            raise Blamed(
                MODEL_UNLOADABLE,
                f"the server's process ended {count} times while this model was loaded or asked, "
                "so this pod loads it no more: mend the model, or delete the pod to have it tried "
                "anew",
            )

    def thread(self, model: str) -> Executor | None:
        """In which it is to be asked, if it must not be while another suspect is."""
        several = len(self._suspects) > 1
        return self._alone if several and model in self._suspects else None

    def witness(self, model: str) -> "Witness":
        """Who sees what is done with it."""
        file = self._folder / f"{model}{SUFFIX}"
        file.unlink(missing_ok=True)  # one that is still mapped must not get shorter
        file.write_bytes(IDLE)
        with file.open("r+b") as opened:
            return Witness(mmap.mmap(opened.fileno(), 1))

    def end(self) -> None:
        """The process ends as it should: whatever is still asked is not to blame."""
        self._clear()

    def _clear(self) -> None:
        for path in self._folder.glob(f"*{SUFFIX}"):
            path.unlink(missing_ok=True)

    def _read(self) -> tuple[dict[str, int], Set[str]]:
        """What was known before; nothing where that is not there, or is not ours."""
        try:
            record = json.loads((self._folder / _RECORD).read_bytes())
            return dict(record["counts"]), set(record["suspects"])
        except (OSError, ValueError, KeyError, TypeError):
            return {}, set()

    def _write(self, record: Mapping[str, object]) -> None:
        """Whole or not at all, and before anything that it was made of is gone."""
        new = self._folder / f"{_RECORD}.new"
        new.write_text(json.dumps(record))
        new.replace(self._folder / _RECORD)


def narrowed(before: Set[str], asked: Set[str]) -> Set[str]:
    """Who may have ended the process: those that were asked each time, if there are any."""
    if not asked:
        return before
    return (before & asked) or asked


class Witness:
    """Sees one model, of which a byte says what is done with it: one thing at a time."""

    def __init__(self, place: mmap.mmap) -> None:
        self._place = place

    @contextmanager
    def loading(self) -> Iterator[None]:
        """While the block lasts the model is loaded."""
        self._place[0] = LOADED[0]
        try:
            yield
        finally:
            self._place[0] = IDLE[0]

    def during(self, work: Callable[..., T], *given: object) -> T:
        """Do something that asks the model."""
        self._place[0] = ASKED[0]
        try:
            return work(*given)
        finally:
            self._place[0] = IDLE[0]

    def of_model(self, model: Model) -> Model:
        return Witnessed(model, self)

    def of_explainer(self, explainer: Explains) -> Explains:
        return WitnessedExplainer(explainer, self)


class Witnessed:
    """A model that is seen when it is asked."""

    def __init__(self, model: Model, witness: Witness) -> None:
        self._model, self._during = model, witness.during

    def predict(self, matrix: np.ndarray, wanted: Iterable[str]) -> dict[str, np.ndarray]:
        return self._during(self._model.predict, matrix, wanted)


class WitnessedExplainer:
    """One that is seen when it explains."""

    def __init__(self, explainer: Explains, witness: Witness) -> None:
        self._explainer, self._during = explainer, witness.during

    def explain(self, rows: np.ndarray) -> Explanation:
        return self._during(self._explainer.explain, rows)

    def sampled(self, rows: np.ndarray) -> Explanation:
        return self._during(self._explainer.sampled, rows)
