"""What a Dataset's status says of the versions that the store keeps. Pure but for its memory."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import timedelta

from tidemill.api.v1alpha1.dataset_status import DatasetStatus
from tidemill.api.v1alpha1.retention import RetentionStatus
from tidemill.dataset.ledger import Ledger
from tidemill.engine.key import Key
from tidemill.store.stored import Stored

MAX_MESSAGE = 1024


@dataclass(slots=True)
class Shelves:
    """What the last sweep of each namespace has found, for the statuses of its Datasets.

    It is a hint in memory: after a restart a status stays as it is until the next sweep.
    """

    _found: dict[Key, RetentionStatus] = field(default_factory=dict)
    _gone: dict[Key, frozenset[str]] = field(default_factory=dict)
    _troubles: dict[str, str] = field(default_factory=dict)

    def put(self, key: Key, found: RetentionStatus, gone: frozenset[str]) -> bool:
        """Keep what was found of a Dataset, and tell whether it is news.

        `gone` are versions that its status may still list.
        """
        self._troubles.pop(key.namespace, None)
        news = bool(gone) or self._found.get(key) != found
        self._found[key] = found
        self._gone[key] = gone
        return news

    def trouble(self, namespace: str, message: str) -> None:
        """Keep what keeps versions of a namespace from being removed."""
        self._troubles[namespace] = message[:MAX_MESSAGE]

    def told(self, key: Key, status: DatasetStatus, *, asked: bool) -> DatasetStatus:
        """Put into a status what was found; nothing where no retention is asked for."""
        gone = self._gone.pop(key, frozenset()) - {status.version}
        versions = status.versions
        if gone and versions:
            versions = [one for one in versions if one.version not in gone]
        found = self._found.get(key, status.retention) if asked else None
        trouble = self._troubles.get(key.namespace)
        if asked and (found or trouble):
            found = (found or RetentionStatus()).model_copy(update={"message": trouble})
        return status.model_copy(update={"retention": found, "versions": versions})


def facts(
    dataset: str,
    stored: Iterable[Stored],
    ledger: Ledger,
    grace: timedelta,
) -> RetentionStatus:
    """Count what there is of a Dataset, and what is to go."""
    mine = [one for one in stored if one.name.dataset == dataset]
    condemned = [one for one in mine if one.name in ledger.condemned]
    times = [ledger.condemned[one.name] for one in condemned]
    return RetentionStatus(
        versions=len(mine),
        bytes=sum(one.bytes for one in mine),
        condemned=len(condemned),
        condemned_bytes=sum(one.bytes for one in condemned),
        next_removal_time=min(times).replace(microsecond=0) + grace if times else None,
        removed=ledger.removed.get(dataset, 0),
    )
