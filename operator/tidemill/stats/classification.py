"""Metrics of a classifier on rows it has not seen, each with its interval.

Classes are codes 0…k-1; probabilities have one column per class. Definitions are scikit-learn's
(user guide §3.4.4) and agree with it to rounding. A metric that the rows cannot give (two classes
are needed and one is there) is None: the caller says so instead of inventing a number.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tidemill.stats.estimate import Estimate
from tidemill.stats.intervals import Floats, Statistic, bootstrap, cells_bootstrap, wilson

Codes = NDArray[np.int64]
_EPSILON = float(np.finfo(np.float64).eps)


@dataclass(frozen=True)
class Classified:
    """What was true, what was predicted, with what probabilities, of how many classes."""

    truth: Codes
    predicted: Codes
    probabilities: Floats | None
    classes: int

    @property
    def n(self) -> int:
        return len(self.truth)

    @property
    def present(self) -> Codes:
        return np.flatnonzero(np.bincount(self.truth))

    def table(self) -> NDArray[np.int64]:
        """The confusion matrix: rows are true classes, columns predicted ones."""
        k = self.classes
        return np.bincount(self.truth * k + self.predicted, minlength=k * k).reshape(k, k)


def accuracy(rows: Classified, seed: int) -> Estimate:  # noqa: ARG001 - one signature for all
    """Share of rows predicted right; Wilson's interval."""
    hits = int((rows.truth == rows.predicted).sum())
    return Estimate("accuracy", hits / rows.n, *wilson(hits, rows.n), rows.n)


def error_rate(rows: Classified, seed: int) -> Estimate:  # noqa: ARG001 - one signature for all
    """Share of rows predicted wrong; Wilson's interval."""
    misses = int((rows.truth != rows.predicted).sum())
    return Estimate("error_rate", misses / rows.n, *wilson(misses, rows.n), rows.n)


def balanced_accuracy(rows: Classified, seed: int) -> Estimate | None:
    """Mean recall over the classes that are there (Brodersen et al., ICPR 2010)."""
    if len(rows.present) < 2:
        return None
    present = rows.present

    def recall(tables: Floats) -> Floats:
        totals = tables.sum(axis=2)[:, present]
        right = np.diagonal(tables, axis1=1, axis2=2)[:, present]
        return mean_of_defined(right, totals)

    return _from_table("balanced_accuracy", recall, rows, seed)


def f1_macro(rows: Classified, seed: int) -> Estimate:
    """Mean over classes (true or predicted somewhere) of the harmonic mean of both rates."""
    used = np.union1d(rows.truth, rows.predicted)

    def score(tables: Floats) -> Floats:
        both = (tables.sum(axis=1) + tables.sum(axis=2))[:, used]
        right = np.diagonal(tables, axis1=1, axis2=2)[:, used]
        return mean_of_defined(2 * right, both)

    return _from_table("f1_macro", score, rows, seed)


def log_loss(rows: Classified, seed: int) -> Estimate | None:
    """Mean negative logarithm of the probability given to what was true."""
    losses = log_losses(rows)
    return None if losses is None else _mean("log_loss", losses, seed)


def log_losses(rows: Classified) -> Floats | None:
    """The loss of each row."""
    if rows.probabilities is None:
        return None
    given = rows.probabilities[np.arange(rows.n), rows.truth]
    losses: Floats = -np.log(np.clip(given, _EPSILON, 1 - _EPSILON))
    return losses


def brier_score(rows: Classified, seed: int) -> Estimate | None:
    """Mean squared distance of probabilities from the truth (Brier, Monthly Weather Review 1950).

    For two classes that of the second class alone (0…1), for more the sum over classes (0…2).
    """
    squares = brier_squares(rows)
    return None if squares is None else _mean("brier_score", squares, seed)


def brier_squares(rows: Classified) -> Floats | None:
    """The squared distance of each row."""
    if rows.probabilities is None:
        return None
    squares: Floats = ((rows.probabilities - np.eye(rows.classes)[rows.truth]) ** 2).sum(axis=1)
    return squares / 2 if rows.classes == 2 else squares


def roc_auc(rows: Classified, seed: int) -> Estimate | None:
    """Chance that a row of a class is ranked above one of another (Hanley and McNeil, 1982).

    For more than two classes the mean of one against the rest; every class must be there.
    """
    if rows.probabilities is None or len(rows.present) < max(2, rows.classes):
        return None
    probabilities = rows.probabilities
    targets = [1] if rows.classes == 2 else list(range(rows.classes))

    def prepare(chosen: NDArray[np.intp]) -> Statistic:
        truth = rows.truth[chosen]
        parts = [ranked(probabilities[chosen, code], truth == code) for code in targets]

        def score(counts: Floats) -> Floats:
            means: Floats = np.mean([part(counts) for part in parts], axis=0)
            return means

        return score

    return _bounded("roc_auc", prepare, rows.n, seed)


def ranked(scores: Floats, positive: NDArray[np.bool_]) -> Statistic:
    """The Mann-Whitney statistic of rows that count so and so often; equal scores count half."""
    order = np.argsort(scores, kind="stable")
    ordered = scores[order]
    starts = np.flatnonzero(np.concatenate([[True], ordered[1:] != ordered[:-1]]))
    up = positive[order].astype(np.float64)

    def area(counts: Floats) -> Floats:
        weights = counts[:, order]
        above = np.add.reduceat(weights * up, starts, axis=1)
        below = np.add.reduceat(weights * (1 - up), starts, axis=1)
        won = (above * (np.cumsum(below, axis=1) - below / 2)).sum(axis=1)
        pairs = above.sum(axis=1) * below.sum(axis=1)
        areas: Floats = np.full(len(won), np.nan)
        np.divide(won, pairs, out=areas, where=pairs > 0)
        return areas

    return area


def _mean(name: str, losses: Floats, seed: int) -> Estimate:
    def prepare(chosen: NDArray[np.intp]) -> Statistic:
        some = losses[chosen]

        def score(counts: Floats) -> Floats:
            means: Floats = counts @ some / len(some)
            return means

        return score

    return _bounded(name, prepare, len(losses), seed, high=np.inf)


def _from_table(
    name: str, score: Callable[[Floats], Floats], rows: Classified, seed: int
) -> Estimate:
    table = rows.table()
    value = float(score(table[None].astype(np.float64))[0])
    low, high = cells_bootstrap(score, table, seed=seed)
    return Estimate(name, value, low, high, rows.n)


def _bounded(
    name: str,
    prepare: Callable[[NDArray[np.intp]], Statistic],
    n: int,
    seed: int,
    high: float = 1.0,
) -> Estimate:
    value = float(prepare(np.arange(n))(np.ones((1, n)))[0])
    ends = bootstrap(prepare, n, seed=seed)
    return Estimate(name, value, max(0.0, ends[0]), min(high, ends[1]), n)


def mean_of_defined(parts: Floats, wholes: Floats) -> Floats:
    """Mean of shares, per replicate, over those whose whole is not empty."""
    shares = np.divide(parts, wholes, out=np.full(parts.shape, np.nan), where=wholes > 0)
    defined = ~np.isnan(shares)
    means: Floats = np.where(defined, shares, 0).sum(axis=1) / np.maximum(defined.sum(axis=1), 1)
    return means
