"""Which parameters are tried next; Optuna draws them, seeded, and learns what became of them.

Draws follow from the seed and from what was told, in the order it was told: who asks and tells the
same gets the same, so that a search that goes on needs no state but its trials.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from typing import Any

import optuna
from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)
from optuna.trial import TrialState, create_trial

from tidemill_runner.search import halving, space
from tidemill_runner.search.halving import Round
from tidemill_runner.search.sought import Dimension, Sought
from tidemill_runner.search.trial import Outcome, Wanted

optuna.logging.set_verbosity(optuna.logging.ERROR)


class Drawing:
    """The trials of one search; `more` says whether more of the metric is better.

    `rounds` are those of Halving.
    """

    def __init__(
        self, asked: Sought, seed: int, *, more: bool, rounds: Sequence[Round] = ()
    ) -> None:
        self._asked = asked
        self._more = more
        self._rounds = rounds
        self._told: list[Outcome] = []
        self._distributions = {one.name: _distribution(one) for one in asked.space}
        sampler = (
            optuna.samplers.TPESampler(seed=seed)
            if asked.method == "TPE"
            else optuna.samplers.RandomSampler(seed=seed)
        )
        direction = "maximize" if more else "minimize"
        self._study = optuna.create_study(sampler=sampler, direction=direction)

    @cached_property
    def total(self) -> int:
        """How many trials there are to be."""
        if self._asked.method == "Grid":
            return sum(1 for _ in space.grid(self._asked))
        if self._asked.method == "Halving":
            return halving.sizes(self._rounds)
        return self._asked.trials or 0

    def batches(self) -> Iterator[list[Wanted]]:
        """Trials that can be done at a time, in their order; tell of each before the next."""
        if self._asked.method == "Grid":
            yield [Wanted(number, params) for number, params in enumerate(space.grid(self._asked))]
            return
        if self._asked.method == "Halving":
            yield from self._halved()
            return
        # As many as the spec says, whatever the pod has: what TPE draws follows from it.
        size = self._asked.parallelism if self._asked.method == "TPE" else self.total
        for start in range(0, self.total, size):
            numbers = range(start, min(start + size, self.total))
            yield [Wanted(number, self._ask()) for number in numbers]

    def _halved(self) -> Iterator[list[Wanted]]:
        """A round at a time; whoever is among the better of one is in the next, in their order."""
        number = 0
        drawn = [self._ask() for _ in range(self._rounds[0].trials)]
        for place, one in enumerate(self._rounds):
            self._told = []
            yield [Wanted(number + n, params, one.rows) for n, params in enumerate(drawn)]
            number += len(drawn)
            if place + 1 < len(self._rounds):
                drawn = self._better(self._rounds[place + 1].trials)
            if not drawn:
                return

    def _better(self, count: int) -> list[dict[str, Any]]:
        """Parameters of the best of a round; among equals the first."""
        done = [one for one in self._told if one.value is not None]
        ranked = sorted(done, key=lambda one: (one.value or 0.0) * (-1 if self._more else 1))
        return [dict(one.params) for one in sorted(ranked[:count], key=lambda one: one.number)]

    def tell(self, outcome: Outcome) -> None:
        """Say what became of a trial."""
        self._told.append(outcome)
        if self._asked.method != "TPE":
            return
        state = TrialState.FAIL if outcome.value is None else TrialState.COMPLETE
        self._study.tell(outcome.number, outcome.value, state=state)

    def importance(self, outcomes: Iterable[Outcome], seed: int) -> dict[str, float]:
        """The share of each parameter in how values vary; nothing where they tell nothing.

        By fANOVA (Hutter, Hoos, Leyton-Brown: ICML 2014), over the trials that have a value.
        """
        done = [one for one in outcomes if one.value is not None]
        if len({one.value for one in done}) < 2:
            return {}
        study = optuna.create_study()
        study.add_trials([self._again(one) for one in done])
        evaluator = optuna.importance.FanovaImportanceEvaluator(seed=seed)
        shares = optuna.importance.get_param_importances(study, evaluator=evaluator)
        return {name: float(share) for name, share in shares.items()}

    def _ask(self) -> dict[str, Any]:
        drawn = self._study.ask(self._distributions).params
        return {one.name: _value(one, drawn[one.name]) for one in self._asked.space}

    def _again(self, outcome: Outcome) -> optuna.trial.FrozenTrial:
        params = {one.name: _drawn(one, outcome.params) for one in self._asked.space}
        return create_trial(params=params, distributions=self._distributions, value=outcome.value)


def _distribution(one: Dimension) -> BaseDistribution:
    if one.ends is None:
        # By their places: values may be anything, and 1, 1.0 and true are three of them.
        return CategoricalDistribution(range(len(one.values)))
    low, high = one.ends
    if isinstance(low, int) and isinstance(high, int):
        return IntDistribution(low, high, log=one.log)
    return FloatDistribution(low, high, log=one.log)


def _value(one: Dimension, drawn: Any) -> Any:  # noqa: ANN401 - whatever a spec may hold
    return drawn if one.ends is not None else one.values[drawn]


def _drawn(one: Dimension, params: Mapping[str, Any]) -> Any:  # noqa: ANN401
    value = params[one.name]
    return value if one.ends is not None else _place(value, one.values)


def _place(value: object, values: tuple[Any, ...]) -> int:
    return [repr(each) for each in values].index(repr(value))
