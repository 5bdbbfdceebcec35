"""What a run trains on and is measured on: rows of a version, joined, split, with their roles.

What can be judged by the schemas is judged before a row is read.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from tidemill_runner import columns, matrix, split
from tidemill_runner.columns import Roles
from tidemill_runner.dataset import Rows, Version
from tidemill_runner.failures import Failure
from tidemill_runner.joined import Chosen, Joined
from tidemill_runner.judgement import fairness, grouped
from tidemill_runner.judgement.asked import Asked
from tidemill_runner.matrix import Data
from tidemill_runner.progress import Progress
from tidemill_runner.referenced import Referenced
from tidemill_runner.split import Parts
from tidemill_runner.storage import Storage
from tidemill_runner.train_input import TrainInput


@dataclass(frozen=True)
class Material:
    """Rows as they were read and as they are learnt from, and which of them are held out."""

    roles: Roles
    rows: Rows
    data: Data
    parts: Parts
    joined: tuple[Chosen, ...] = ()


@dataclass(frozen=True)
class Supply:
    """A version and what is joined to it, of which manifests and schemas have been read."""

    document: TrainInput
    version: Version
    joined: Joined | None
    roles: Roles

    @classmethod
    def of(cls, document: TrainInput, store: Storage, scratch: Path) -> "Supply":
        """Judge by the schemas; raises Failure."""
        version, joined = Version(store, document.dataset), None
        if document.join is not None:
            others = Referenced(store, scratch / "joined")
            joined = Joined.of(document.join, version.schema, others)
        schema = joined.schema if joined else version.schema
        roles = columns.assign(document.training, schema)
        asked = Asked.of(document.training)
        return cls(document, version, joined, replace(roles, beside=asked.columns(schema)))

    def read(self, scratch: Path, progress: Progress) -> Rows:
        """Read the rows, and join to them; raises Failure."""
        joined, needed = self.joined, self.roles.needed
        seen = _seen(progress, self.version.manifest.total_bytes)
        rows = self.version.read(joined.to_read(needed) if joined else needed, scratch, seen)
        if joined:
            progress.report(20, f"joining {len(joined.chosen)} feature tables")
            rows = joined.extend(rows, needed)
        return rows

    def material(self, rows: Rows) -> Material:
        """Make of rows what is learnt from; raises Failure for what cannot be."""
        training = self.document.training
        data = matrix.build(rows, self.roles, training)
        parts = split.divide(data.n, training.split, data.time, training.seed)
        fairness.check(Asked.of(training), data.target)
        grouped.check(training, data, parts)
        if training.task == "Classification":
            _check_classes(data.target[parts.train])
        chosen = self.joined.chosen if self.joined else ()
        return Material(self.roles, rows, data, parts, chosen)


def _seen(progress: Progress, total: int) -> Callable[[int], None]:
    report_share = progress.share((0, 20), "reading and verifying the data", total)
    done = 0

    def seen(amount: int) -> None:
        nonlocal done
        done += amount
        report_share(done)

    return seen


def _check_classes(target: NDArray[Any]) -> None:
    if len(set(target.tolist())) < 2:
        raise Failure(
            "TargetInvalid",
            f"spec.target: the {len(target)} rows that spec.split leaves to train on have "
            f"one class only, {target.tolist()[0]!r}: use by: Random or hold out less",
        )
