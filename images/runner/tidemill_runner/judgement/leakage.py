"""Signs that a model was told the answer: what makes good numbers doubtful.

None of them is a proof, so none fails a run: they are told, with what was found and what to do.
"""

import re
from collections.abc import Iterator
from functools import partial

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from tidemill_runner.judgement.moment import WHEN, moment_of
from tidemill_runner.judgement.scene import Scene, codes_of
from tidemill_runner.profile import leakage
from tidemill_runner.profile.leakage import Coder, Codes
from tidemill_runner.schema import Column, ColumnType

# From which part of the errors spared on a feature alone is told.
ALONE = 0.95
SAMPLE, SAMPLE_CELLS = 20_000, 2_000_000
MOST_NAMED = 5
# From which share of the rows held out on rows that were trained on are told, and so many.
TWICE, TWICE_ROWS = 0.01, 10
MOST_HELD = 200_000
ALIKE = 0.2
IN_ORDER = 0.9
_ANSWERS = frozenset({"target", "label", "groundtruth", "ytrue", "prediction", "predicted"})
# What was true before may well be known.
_BEFORE = frozenset({"lag", "prev", "previous", "last", "before", "prior", "past", "mean", "avg"})


def warnings(scene: Scene) -> tuple[str, ...]:
    """What was found, the gravest first."""
    found = (_alone(scene), _twice(scene), _shared_groups(scene), _order(scene), _names(scene))
    return tuple(words for words in found if words)


def _alone(scene: Scene) -> str:
    """A feature that by itself tells the target."""
    rng = np.random.default_rng(scene.seed)
    width = len(scene.roles.features)
    most = min(SAMPLE, max(SAMPLE_CELLS // width, 200))
    rows = np.arange(scene.data.n)
    if len(rows) > most:
        rows = np.sort(rng.choice(rows, most, replace=False))
    half = rng.random(len(rows)) < 0.5
    target = _target_codes(scene.data.target[rows])
    found = []
    for place, column in enumerate(scene.roles.features):
        coders = _coders(scene.data.features[rows, place], column)
        told = leakage.strongest(coders, target, half)
        if told is not None and told >= ALONE:
            found.append((column.name, told))
    if not found:
        return ""
    found.sort(key=lambda one: (-one[1], one[0]))
    named = _some([f"{name!r} (spares {_percent(told)} of the errors)" for name, told in found])
    return (
        f"features tell the target alone: {named}: add to spec.features.exclude what is not known "
        "before the target is"
    )


def _target_codes(target: NDArray[np.generic]) -> Codes:
    if target.dtype.kind == "f" and leakage.many(target):
        return leakage.bins(target.astype(np.float64), leakage.TARGET_BINS)
    if target.dtype == object:
        return codes_of(pa.array(target.tolist(), from_pandas=True))
    codes: Codes = np.unique(target, return_inverse=True)[1].astype(np.int64)
    return codes


def _coders(values: NDArray[np.generic], column: Column) -> Iterator[Coder]:
    """The ways to look at a feature: its value, and what value it is near."""
    if column.type is ColumnType.STRING:
        by_value = codes_of(pa.array(values.tolist(), pa.string(), from_pandas=True))
        yield lambda _: by_value
        return
    numbers = values.astype(np.float64)
    missing = np.isnan(numbers)
    exact = leakage.codes(numbers, missing)
    yield lambda _: exact
    if leakage.many(numbers[~missing]):
        yield partial(leakage.nearest, numbers, missing)


def _twice(scene: Scene) -> str:
    """Rows held out whose features and target are those of a row trained on."""
    held = scene.parts.holdout
    if len(held) > MOST_HELD:
        rng = np.random.default_rng(scene.seed)
        held = np.sort(rng.choice(held, MOST_HELD, replace=False))
    fingerprints = _fingerprints(scene)
    known = np.unique(fingerprints[held])
    trained = fingerprints[scene.parts.train]
    places = np.searchsorted(known, trained).clip(0, len(known) - 1)
    both = known[np.unique(places[known[places] == trained])]
    count = int(np.isin(fingerprints[held], both).sum())
    if count < max(TWICE_ROWS, TWICE * len(held)) or _natural(scene):
        return ""
    return (
        f"{count:,} of {len(held):,} rows held out ({_percent(count / len(held))}) are also among "
        "those trained on, in all features and the target: remove repeated rows before the split"
    )


def _fingerprints(scene: Scene) -> NDArray[np.uint64]:
    """A number per row from its features and target: equal rows have equal ones."""
    found = np.zeros(scene.data.n, np.uint64)
    for place, column in enumerate(scene.roles.features):
        found = _mixed(found, _bits(scene.data.features[:, place], column.type))
    target = scene.data.target
    kind = ColumnType.STRING if target.dtype == object else ColumnType.FLOAT
    return _mixed(found, _bits(target, kind))


def _bits(values: NDArray[np.generic], kind: ColumnType) -> NDArray[np.uint64]:
    if kind is ColumnType.STRING:
        return codes_of(pa.array(values.tolist(), from_pandas=True)).astype(np.uint64)
    numbers = values.astype(np.float64) + 0.0  # no negative zero
    numbers[np.isnan(numbers)] = np.nan
    return numbers.view(np.uint64)


def _mixed(state: NDArray[np.uint64], more: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """SplitMix64's finalizer (Steele, Lea and Flood, OOPSLA 2014) over what came and what comes."""
    with np.errstate(over="ignore"):
        mixed = (state ^ more) + np.uint64(0x9E3779B97F4A7C15)
        mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        return mixed ^ (mixed >> np.uint64(31))


def _natural(scene: Scene) -> bool:
    """Whether rows repeat because so few different ones can be."""
    kinds = 1
    rows = np.linspace(0, scene.data.n - 1, min(scene.data.n, SAMPLE)).astype(int)
    for place, column in enumerate(scene.roles.features):
        values = scene.data.features[rows, place]
        kinds *= len(np.unique(_bits(values, column.type)))
        if kinds > 10 * scene.data.n:
            return False
    return True


def _shared_groups(scene: Scene) -> str:
    if scene.groups is None:
        return ""
    held = np.unique(scene.groups[scene.parts.holdout])
    shared = int(np.isin(held, scene.groups[scene.parts.train]).sum())
    # Of things that are met again, later rows are what is to be predicted.
    if not shared or scene.ordered:
        return ""
    return (
        f"{shared:,} of {len(held):,} groups of spec.evaluation.groupBy that have rows held out "
        "have rows trained on, too: the numbers tell of known groups, not of new ones"
    )


def _order(scene: Scene) -> str:
    """Rows trained on that are later than rows held out; neighbours that are alike."""
    if scene.training.split.by == "Time":
        return ""
    moment = moment_of(scene.roles.beside)
    if moment is None or scene.data.beside is None:
        return "" if scene.ordered else _neighbours(scene)
    times = scene.data.beside.column(moment.name).cast(pa.timestamp("us", "UTC"), safe=False)
    numbers = times.cast(pa.int64()).to_numpy().astype(np.float64)
    if moment.name.casefold() not in WHEN and not _in_order(numbers):
        return ""
    first = np.nanmin(numbers[scene.parts.holdout], initial=np.inf)
    later = float((numbers[scene.parts.train] > first).mean())
    if later <= 0.01:
        return ""
    return (
        f"{_percent(later)} of the rows trained on are later ({moment.name!r}) than the first one "
        "held out: in production only the past is known; use spec.split.by Time"
    )


def _in_order(numbers: NDArray[np.float64]) -> bool:
    """Whether rows follow one another in it; a date of birth does not."""
    steps = np.diff(numbers)
    return len(steps) > 0 and float(max((steps >= 0).mean(), (steps <= 0).mean())) >= IN_ORDER


def _neighbours(scene: Scene) -> str:
    codes = _target_codes(scene.data.target)
    if len(codes) < 100:
        return ""
    shares = np.bincount(codes) / len(codes)
    chance, alike = float((shares**2).sum()), float((codes[1:] == codes[:-1]).mean())
    # A file sorted by the target has hardly any changes.
    if alike - chance < ALIKE or alike > 0.99:
        return ""
    return (
        f"neighbouring rows have the same target in {_percent(alike)} of cases, "
        f"{_percent(chance)} by chance: "
        "rows drawn at random are known by their neighbours; if rows follow in time, use "
        "spec.split.by Order or Time"
    )


def _names(scene: Scene) -> str:
    target = set(_words(scene.roles.target.name))
    whole = "".join(_words(scene.roles.target.name))
    found = []
    for column in scene.roles.features:
        words = _words(column.name)
        plain = "".join(words)
        alike = len(whole) > 2 and (target <= set(words) or plain == whole)
        if (alike or plain in _ANSWERS) and not _BEFORE & set(words):
            found.append(repr(column.name))
    if not found:
        return ""
    return (
        f"features are named like the target {scene.roles.target.name!r}: {_some(found)}: see "
        "whether they are known before it"
    )


def _words(name: str) -> list[str]:
    parts = re.sub(r"([a-z0-9])([A-Z])", r"\1 \2", name)
    return re.findall(r"[^\W\d_]+", parts.casefold())


def _some(named: list[str]) -> str:
    more = f" and {len(named) - MOST_NAMED} more" if len(named) > MOST_NAMED else ""
    return ", ".join(named[:MOST_NAMED]) + more


def _percent(share: float) -> str:
    return f"{share:.1%}".replace("%", " %")
