"""The judgement in sentences: what is well, what is doubtful, what is bad."""

from collections.abc import Iterator
from dataclasses import dataclass

from tidemill.pages import svg
from tidemill_runner.judgement import baselines, fairness
from tidemill_runner.judgement.baselines import Against
from tidemill_runner.judgement.judge import Judged

GOOD, WARN, BAD = "good", "warn", "bad"
_NAME = 60
_NAMED = 3


@dataclass(frozen=True)
class Finding:
    """One sentence, and how it speaks of the model."""

    kind: str
    words: str


def findings(judged: Judged) -> tuple[Finding, ...]:
    """What is bad first, then what is doubtful."""
    found = [
        *_baselines(judged),
        *_fairness(judged),
        *(Finding(WARN, f"{words[:1].upper()}{words[1:]}.") for words in judged.warnings),
        *_slices(judged),
        *_calibration(judged),
    ]
    return tuple(sorted(found, key=lambda one: (BAD, WARN, GOOD).index(one.kind)))


def _baselines(judged: Judged) -> Iterator[Finding]:
    for one in judged.baselines:
        if not one.against:
            continue
        first = one.against[0]
        match first.verdict:
            case baselines.BETTER:
                yield Finding(GOOD, f"Better than {one.name}: {_numbers(first)}.")
            case baselines.WORSE:
                yield Finding(
                    BAD,
                    f"Worse than {one.name}: {_numbers(first)}. {_SIMPLE[one.name]}",
                )
            case _:
                yield Finding(WARN, f"Not told apart from {one.name}: {_numbers(first)}.")
        yield from _elsewhere(one.name, one.against)


def _elsewhere(name: str, against: tuple[Against, ...]) -> Iterator[Finding]:
    """Where another metric says otherwise than the first."""
    if against[0].verdict == baselines.WORSE:
        return
    for one in against[1:]:
        if one.verdict == baselines.WORSE:
            yield Finding(WARN, f"Worse than {name} by {_numbers(one)}.")


_SIMPLE = {
    "Majority": "Always saying the same does better than this model.",
    "LastValue": "Repeating what was true of the row before does better than this model, where "
    "that is known in time.",
    "Linear": "A plain linear model of the same features does better.",
}


def _numbers(one: Against) -> str:
    difference = one.difference
    return (
        f"{one.metric} {number(one.baseline.value + difference.value)} against "
        f"{number(one.baseline.value)} (difference {number(difference.value)}, "
        f"{number(difference.low)} to {number(difference.high)})"
    )


def _fairness(judged: Judged) -> Iterator[Finding]:
    for one in judged.fairness:
        name = f"{one.metric} of {svg.short(one.sensitive, _NAME)}"
        if one.value is None or one.low is None or one.high is None:
            yield Finding(WARN, f"{name} could not be measured: {one.note}.")
            continue
        ends = f"{number(one.value)} ({number(one.low)} to {number(one.high)})"
        match one.verdict:
            case fairness.FAILED:
                yield Finding(BAD, f"{name} is {ends}, more than the {one.max} wanted.")
            case fairness.SUCCESSFUL:
                yield Finding(GOOD, f"{name} is {ends}, not more than {one.max}.")
            case _:
                words = f"{name} is {ends}: too few rows to tell whether it is above {one.max}."
                yield Finding(WARN, words)


def _slices(judged: Judged) -> Iterator[Finding]:
    for one in judged.slices:
        worse = [part for part in one.parts if part.worse and part.estimate is not None]
        if not worse:
            continue
        named = ", ".join(
            f"{svg.short(part.name, _NAME)} ({number(part.estimate.value)})"
            for part in worse[:_NAMED]
            if part.estimate is not None
        )
        more = f" and {len(worse) - _NAMED} more" if len(worse) > _NAMED else ""
        where = svg.short(one.column, _NAME)
        yield Finding(WARN, f"{one.metric} is worse than overall where {where} is {named}{more}.")


def _calibration(judged: Judged) -> Iterator[Finding]:
    found = judged.calibration
    if found is None:
        return
    by_chance = f"a perfect model would be off by up to {number(found.chance)} by chance"
    if found.ece > found.chance:
        words = f"Probabilities are off by {number(found.ece)} on average; {by_chance}."
        yield Finding(WARN, words)
    else:
        yield Finding(GOOD, f"Probabilities come true: off by {number(found.ece)}; {by_chance}.")


def number(value: float) -> str:
    """Three digits."""
    return f"{value:.3g}" if abs(value) >= 0.0005 or value == 0 else f"{value:.1g}"
