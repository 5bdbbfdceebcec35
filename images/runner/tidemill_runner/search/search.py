"""The search: trials in their order until all are done, or enough were no better."""

import logging
import time
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sklearn.pipeline import Pipeline

from tidemill.stats.catalog import MORE_IS_BETTER
from tidemill_runner import estimators, selection
from tidemill_runner.columns import Roles
from tidemill_runner.failures import Failure
from tidemill_runner.judgement.scene import groups_of
from tidemill_runner.matrix import Data
from tidemill_runner.progress import Progress
from tidemill_runner.search import folds, halving, space
from tidemill_runner.search.halving import Round
from tidemill_runner.search.journal import Trials
from tidemill_runner.search.sought import Sought
from tidemill_runner.search.trial import Bench, Outcome, Wanted
from tidemill_runner.search.workers import Alone, Several, hired
from tidemill_runner.split import Parts
from tidemill_runner.train_input import Training

if TYPE_CHECKING:
    from tidemill_runner.search.pods import Spread, Team

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
    rounds: tuple[Round, ...] = ()

    @property
    def more(self) -> bool:
        """Whether more of the metric is better."""
        return self.metric in MORE_IS_BETTER

    @property
    def ordered(self) -> bool:
        """Whether what judged a trial came after what it was fitted on."""
        return self.training.split.by in ("Order", "Time")

    @property
    def alike(self) -> tuple[Outcome, ...]:
        """Those whose values can be compared: of rounds the first, which has all parameters."""
        return alike(self.outcomes)

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
            **({"rounds": [asdict(one) for one in self.rounds]} if self.rounds else {}),
            "asked": self.total,
            "failed": self.failed,
            "best": {"number": best.number, "value": best.value, "params": dict(best.params)},
            "importance": self.importance,
            "trials": [_told(one) for one in self.outcomes],
        }


def alike(outcomes: Sequence[Outcome]) -> tuple[Outcome, ...]:
    """Those that were judged on as many rows as the first."""
    return tuple(one for one in outcomes if one.rows == outcomes[0].rows)


def _told(one: Outcome) -> dict[str, Any]:
    known = {"number": one.number, "params": dict(one.params), "seconds": one.seconds}
    if one.rows is not None:
        known["rows"] = one.rows
    if one.value is None:
        return {**known, "reason": one.reason, "message": (one.message or "")[:500]}
    return {**known, "value": one.value, "folds": list(one.folds)}


def bench_of(training: Training, asked: Sought, roles: Roles, data: Data, parts: Parts) -> Bench:
    """What trials are judged on; nothing of the rows held out is in it. Raises Failure."""
    target = data.target[parts.train]
    groups = groups_of(data, tuple(training.evaluation.get("groupBy") or ()))
    own = None if groups is None else groups[parts.train]
    cut = folds.cut(training, asked.folds, target, own)
    classes = training.task == "Classification"
    halved = asked.method == "Halving"
    return Bench(
        training=training,
        roles=roles,
        metric=space.metric_of(training, asked),
        folds=cut,
        features=data.features[parts.train],
        target=target,
        weights=None if data.weights is None else data.weights[parts.train],
        order=halving.order(cut, target, training.seed, classes=classes) if halved else None,
    )


@dataclass
class Search:
    """One search; trials that its journal has are not done again."""

    asked: Sought
    bench: Bench
    trials: Trials
    progress: Progress
    scratch: Path
    # The other pods that do trials, where there are some.
    team: "Team | None" = None
    _done: list[Outcome] = field(default_factory=list)
    _best: Outcome | None = None

    def run(self) -> Found:
        """Raises Failure where all trials failed."""
        # Optuna takes half a second to import, which other runs have no use for.
        from tidemill_runner.search.drawing import Drawing  # noqa: PLC0415

        training, begun = self.bench.training, time.monotonic()
        rounds = self._rounds()
        drawing = Drawing(self.asked, training.seed, more=self._more, rounds=rounds)
        known = self.trials.read()
        with self._workers() as workers:
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
        shares = drawing.importance(alike(self._done), training.seed)
        log.info("trial %d is the best of %d: %s", best.number, len(self._done), best.params)
        return Found(
            *(self.asked, self.bench.metric, tuple(self._done), best, chosen, shares),
            total=drawing.total,
            rounds=rounds,
        )

    def _workers(self) -> "AbstractContextManager[Alone | Several | Spread]":
        if self.team is None:
            return hired(self.bench, self.asked.parallelism, self.scratch)
        from tidemill_runner.search import pods  # noqa: PLC0415 - only who needs Dask pays for it

        return pods.led(self.bench, self.asked.parallelism, self.team)

    def _rounds(self) -> tuple[Round, ...]:
        if self.asked.method != "Halving":
            return ()
        bench, target = self.bench, self.bench.target
        classes = len(set(target.tolist())) if bench.training.task == "Classification" else 1
        return halving.rounds(self.asked, len(target), bench.folds, classes)

    @property
    def _more(self) -> bool:
        return self.bench.metric in MORE_IS_BETTER

    @property
    def _stops(self) -> bool:
        since = len(self._done) - 1 - (self._best.number if self._best else -1)
        return self.asked.patience is not None and since >= self.asked.patience

    def _outcomes(
        self, workers: "Alone | Several | Spread", batch: list[Wanted], known: dict[int, Outcome]
    ) -> Iterator[Outcome]:
        """Those of a batch in their order, from the journal or made now."""
        there = {one.number for one in batch if _is_of(known.get(one.number), one)}
        made = workers.run([one for one in batch if one.number not in there], self.trials.write)
        for one in batch:
            yield known[one.number] if one.number in there else next(made)

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
        if one.rows != other.rows:  # of a later round
            return True
        mine, theirs = one.value or 0.0, other.value or 0.0
        return mine > theirs if self._more else mine < theirs


def _is_of(outcome: Outcome | None, one: Wanted) -> bool:
    """Whether what the journal has is what came of this very trial."""
    return outcome is not None and (outcome.params, outcome.rows) == (one.params, one.rows)
