"""The one way from an import asked for to a model that a run can measure."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from numpy.typing import NDArray
from sklearn.pipeline import Pipeline

from tidemill_runner.columns import Roles
from tidemill_runner.imported import fetch, model, suits, trial
from tidemill_runner.imported.asked import Import
from tidemill_runner.imported.fetch import Fetched
from tidemill_runner.storage import Storage
from tidemill_runner.train_input import Step


@dataclass(frozen=True)
class Imported:
    """A model that was fetched, proved to load, and loaded."""

    asked: Import
    fetched: Fetched
    pipeline: Pipeline

    @classmethod
    def bring(cls, asked: Import, task: str, folder: Path, bucket: Storage) -> "Imported":
        """Fetch and load it; raises Failure."""
        fetched = fetch.fetch(asked, bucket, folder)
        trial.prove(fetched.file, task)
        return cls(asked, fetched, model.load(fetched.file, task))

    def check(self, roles: Roles) -> None:
        """Raise Failure where the run has other features than the model."""
        suits.check_features(self.pipeline, self.fetched.file, roles)

    def suited(self, roles: Roles, target: NDArray[Any]) -> Pipeline:
        """The model with these rows' classes; raises Failure where it has others."""
        return suits.with_classes(self.pipeline, self.asked, roles, target)

    @property
    def steps(self) -> tuple[Step, ...]:
        """What the model consists of, as cards and reports show it."""
        found = []
        for name, part in self.pipeline.steps:
            cls = type(part)
            found.append(Step(name, f"{cls.__module__}.{cls.__qualname__}", {}))
        return tuple(found)

    def told(self) -> dict[str, Any]:
        """Where it is from, as lineage and result tell it."""
        kind = self.fetched.file.kind
        return {"uri": self.asked.uri, "digest": self.fetched.digest, "kind": kind}
