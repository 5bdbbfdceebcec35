"""The trials of a run in the store, each written once when it is done.

They lie beside the outputs of the run's Jobs, so that whichever pod comes next finds them. A trial
of another search than the one asked for, and what cannot be read, counts as not done.
"""

import json
import logging
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from tidemill.store import digests, layout
from tidemill_runner.search.trial import Outcome
from tidemill_runner.storage import Storage
from tidemill_runner.train_input import TrainInput

FORMAT = "tidemill.dev/trial/v1"
MAX_BYTES = 1024 * 1024
log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Trials:
    """Those of one search, which `key` tells from any other."""

    store: Storage
    prefix: str
    key: str

    @classmethod
    def of(cls, store: Storage, document: TrainInput) -> "Trials":
        """Those of the run that a document is of."""
        parent = document.identity.output.rstrip("/").rpartition("/")[0]
        training, dataset = document.training, document.dataset
        # What an outcome follows from: neither how many trials there are nor how many at a time.
        judged = {key: training.search[key] for key in ("metric", "cv") if key in training.search}
        key = {
            "version": dataset.version,
            "join": [one.dataset.version for one in document.join.tables] if document.join else [],
            "image": document.image,
            "training": {**asdict(training), "search": judged},
        }
        text = json.dumps(key, sort_keys=True, default=str).encode()
        return cls(store, layout.trials_prefix(f"{parent}/"), digests.sha256_digest(text))

    def read(self) -> dict[int, Outcome]:
        """The trials done, by number."""
        found: dict[int, Outcome] = {}
        for entry in self.store.list(self.prefix):
            outcome = self._parse(self.store.get(entry.key, MAX_BYTES))
            if outcome is not None:
                found[outcome.number] = outcome
        if found:
            log.info("%d trials are done already", len(found))
        return found

    def write(self, outcome: Outcome) -> None:
        """Keep a trial that is done."""
        content = {"format": FORMAT, "key": self.key, **asdict(outcome)}
        data = digests.canonical_json(content)
        self.store.put(f"{self.prefix}{outcome.number:05d}.json", data)

    def _parse(self, data: bytes) -> Outcome | None:
        try:
            content: dict[str, Any] = json.loads(data)
            if (content.pop("format"), content.pop("key")) != (FORMAT, self.key):
                return None
            outcome = Outcome(**{**content, "folds": tuple(content["folds"])})
        except (KeyError, TypeError, ValueError, AttributeError):
            return None
        return outcome if _whole(outcome) else None


def _whole(outcome: Outcome) -> bool:
    """Whether it says one or the other: a value, or why there is none."""
    numbered = isinstance(outcome.number, int) and isinstance(outcome.params, Mapping)
    either = isinstance(outcome.value, float) != isinstance(outcome.reason, str)
    counted = outcome.rows is None or isinstance(outcome.rows, int)
    return numbered and either and counted
