"""The search: trials in their order until all are done, or enough were no better."""

import logging
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sklearn.pipeline import Pipeline

from tidemill.stats.catalog import MORE_IS_BETTER
from tidemill_runner import estimators, selection
from tidemill_runner.columns import Roles
from tidemill_runner.failures import Failure
from tidemill_runner.inputs import Training
from tidemill_runner.judgement.scene import groups_of
from tidemill_runner.matrix import Data
from tidemill_runner.progress import Progress
from tidemill_runner.search import folds, space
from tidemill_runner.search.journal import Trials
from tidemill_runner.search.sought import Sought
from tidemill_runner.search.trial import Bench, Outcome, Wanted
from tidemill_runner.search.workers import Alone, Several, hired
from tidemill_runner.split import Parts

SPAN = (20, 60)
log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Found:
    """All trials in their order, the best, and the training with its parameters.

    `importance` is the share of each parameter in how the values vary.
    """

    asked: Sought
    metric: str
    outcomes: tuple[Outcome, ...]
    best: Outcome
    training: Training
    importance: dict[str, float]
    total: int

    @property
    def more(self) -> bool:
        """Whether more of the metric is better."""
        return self.metric in MORE_IS_BETTER

    @property
    def ordered(self) -> bool:
        """Whether what judged a trial came after what it was fitted on."""
        return self.training.split.by in ("Order", "Time")

    @property
    def failed(self) -> int:
        """How many trials have no value."""
        return sum(one.value is None for one in self.outcomes)

    def pipeline(self, roles: Roles) -> Pipeline:
        """The pipeline with the best parameters, unfitted."""
        built = estimators.build(self.training)
        selection.resolve(built, roles)
        return built

    def content(self) -> dict[str, Any]:
        """What the run's result tells."""
        best = self.best
        return {
            "method": self.asked.method,
            "metric": self.metric,
            "folds": self.asked.folds,
            "asked": self.total,
            "failed": self.failed,
            "best": {"number": best.number, "value": best.value, "params": dict(best.params)},
            "importance": self.importance,
            "trials": [_told(one) for one in self.outcomes],
        }


def _told(one: Outcome) -> dict[str, Any]:
    known = {"number": one.number, "params": dict(one.params), "seconds": one.seconds}
    if one.value is None:
        return {**known, "reason": one.reason, "message": (one.message or "")[:500]}
    return {**known, "value": one.value, "folds": list(one.folds)}


def bench_of(training: Training, asked: Sought, roles: Roles, data: Data, parts: Parts) -> Bench:
    """What trials are judged on; nothing of the rows held out is in it. Raises Failure."""
    target = data.target[parts.train]
    groups = groups_of(data, tuple(training.evaluation.get("groupBy") or ()))
    own = None if groups is None else groups[parts.train]
    return Bench(
        training=training,
        roles=roles,
        metric=space.metric_of(training, asked),
        folds=folds.cut(training, asked.folds, target, own),
        features=data.features[parts.train],
        target=target,
        weights=None if data.weights is None else data.weights[parts.train],
    )


@dataclass
class Search:
    """One search; trials that its journal has are not done again."""

    asked: Sought
    bench: Bench
    trials: Trials
    progress: Progress
    scratch: Path
    _done: list[Outcome] = field(default_factory=list)
    _best: Outcome | None = None

    def run(self) -> Found:
        """Raises Failure where all trials failed."""
        # Optuna takes half a second to import, which other runs have no use for.
        from tidemill_runner.search.drawing import Drawing  # noqa: PLC0415

        training, begun = self.bench.training, time.monotonic()
        drawing = Drawing(self.asked, training.seed, more=self._more)
        known = self.trials.read()
        with hired(self.bench, self.asked.parallelism, self.scratch) as workers:
            for batch in drawing.batches():
                for outcome in self._outcomes(workers, batch, known):
                    drawing.tell(outcome)
                    self._take(outcome, drawing.total, begun)
                    if self._stops:
                        break
                if self._stops:
                    break
        best = self._best
        if best is None:
            first = self._done[0]
            raise Failure(
                first.reason or "FitFailed",
                f"spec.search: all {len(self._done)} trials failed; the first of them: "
                f"{first.message}",
            )
        chosen = space.applied(training, best.params)
        shares = drawing.importance(self._done, training.seed)
        log.info("trial %d is the best of %d: %s", best.number, len(self._done), best.params)
        return Found(
            *(self.asked, self.bench.metric, tuple(self._done), best, chosen, shares),
            total=drawing.total,
        )

    @property
    def _more(self) -> bool:
        return self.bench.metric in MORE_IS_BETTER

    @property
    def _stops(self) -> bool:
        since = len(self._done) - 1 - (self._best.number if self._best else -1)
        return self.asked.patience is not None and since >= self.asked.patience

    def _outcomes(
        self, workers: Alone | Several, batch: list[Wanted], known: dict[int, Outcome]
    ) -> Iterator[Outcome]:
        """Those of a batch in their order, from the journal or made now."""
        there = {n: known[n] for n, params in batch if n in known and known[n].params == params}
        made = workers.run([one for one in batch if one[0] not in there], self.trials.write)
        for number, _ in batch:
            yield there[number] if number in there else next(made)

    def _take(self, outcome: Outcome, total: int, begun: float) -> None:
        self._done.append(outcome)
        if outcome.value is not None and (self._best is None or self._better(outcome, self._best)):
            self._best = outcome
        if outcome.value is None:
            log.info("trial %d failed: %s: %s", outcome.number, outcome.reason, outcome.message)
        count, best = len(self._done), ""
        if self._best is not None and self._best.value is not None:
            self.progress.measured(self.bench.metric, self._best.value)
            best = f", best {self.bench.metric}={self._best.value:.4g} of trial {self._best.number}"
        left = (time.monotonic() - begun) / count * (total - count)
        percent = SPAN[0] + (SPAN[1] - SPAN[0]) * count / total
        self.progress.report(percent, f"trial {count} of {total}{best}", left)

    def _better(self, one: Outcome, other: Outcome) -> bool:
        mine, theirs = one.value or 0.0, other.value or 0.0
        return mine > theirs if self._more else mine < theirs
