"""The metrics as functions of how often each row counts: what resampling needs of them."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from tidemill.stats.classification import (
    Classified,
    brier_squares,
    log_losses,
    mean_of_defined,
    ranked,
)
from tidemill.stats.intervals import Floats, Statistic
from tidemill.stats.regression import Regressed
from tidemill.stats.resampling import Codes, Prepare, Rows


def metric(name: str, rows: Classified | Regressed) -> Prepare | None:
    """The metric of that name on these rows; None where they cannot give it."""
    if isinstance(rows, Regressed):
        return _REGRESSION[name](rows)
    return _CLASSIFICATION[name](rows)


def mean(values: Floats) -> Prepare:
    """The mean of a value that each row has."""

    def prepare(chosen: Rows) -> Statistic:
        some = values[chosen]
        return lambda counts: counts @ some / counts.sum(axis=1)

    return prepare


def _mean_of(values: Floats | None) -> Prepare | None:
    return None if values is None else mean(values)


def _right(rows: Classified) -> Prepare | None:
    return mean((rows.truth == rows.predicted).astype(np.float64))


def _wrong(rows: Classified) -> Prepare | None:
    return mean((rows.truth != rows.predicted).astype(np.float64))


def _balanced(rows: Classified) -> Prepare | None:
    present = rows.present
    if len(present) < 2:
        return None
    hits = (rows.truth == rows.predicted).astype(np.float64)

    def prepare(chosen: Rows) -> Statistic:
        totals = _sums(rows.truth[chosen], rows.classes)
        right = hits[chosen]
        return lambda counts: mean_of_defined(
            totals(counts * right)[:, present], totals(counts)[:, present]
        )

    return prepare


def _f1(rows: Classified) -> Prepare | None:
    used = np.union1d(rows.truth, rows.predicted)
    hits = (rows.truth == rows.predicted).astype(np.float64)

    def prepare(chosen: Rows) -> Statistic:
        true = _sums(rows.truth[chosen], rows.classes)
        said = _sums(rows.predicted[chosen], rows.classes)
        right = hits[chosen]
        return lambda counts: mean_of_defined(
            2 * true(counts * right)[:, used], (true(counts) + said(counts))[:, used]
        )

    return prepare


def _auc(rows: Classified) -> Prepare | None:
    if rows.probabilities is None or len(rows.present) < max(2, rows.classes):
        return None
    probabilities = rows.probabilities
    targets = [1] if rows.classes == 2 else list(range(rows.classes))

    def prepare(chosen: Rows) -> Statistic:
        truth = rows.truth[chosen]
        parts = [ranked(probabilities[chosen, code], truth == code) for code in targets]

        def score(counts: Floats) -> Floats:
            means: Floats = np.mean([part(counts) for part in parts], axis=0)
            return means

        return score

    return prepare


def _rmse(rows: Regressed) -> Prepare | None:
    squares = mean((rows.predicted - rows.truth) ** 2)

    def prepare(chosen: Rows) -> Statistic:
        inner = squares(chosen)
        return lambda counts: np.sqrt(inner(counts))

    return prepare


def _r2(rows: Regressed) -> Prepare | None:
    centred = rows.truth - rows.truth.mean()
    if rows.n < 2 or not np.any(centred != 0):
        return None
    columns = np.stack([(rows.predicted - rows.truth) ** 2, centred**2, centred], axis=1)

    def prepare(chosen: Rows) -> Statistic:
        some = columns[chosen]

        def score(counts: Floats) -> Floats:
            means = counts @ some / counts.sum(axis=1, keepdims=True)
            spread = means[:, 1] - means[:, 2] ** 2
            shares = np.full(len(means), np.nan)
            np.divide(means[:, 0], spread, out=shares, where=spread > 0)
            return 1 - shares

        return score

    return prepare


def _sums(codes: Codes, kinds: int) -> Callable[[Floats], Floats]:
    """Sums of rows by code, for each replicate."""
    order = np.argsort(codes, kind="stable")
    there, starts = np.unique(codes[order], return_index=True)

    def sums(weights: Floats) -> Floats:
        found = np.zeros((len(weights), kinds))
        found[:, there] = np.add.reduceat(weights[:, order], starts, axis=1)
        return found

    return sums


_CLASSIFICATION: dict[str, Callable[[Classified], Prepare | None]] = {
    "accuracy": _right,
    "error_rate": _wrong,
    "balanced_accuracy": _balanced,
    "f1_macro": _f1,
    "log_loss": lambda rows: _mean_of(log_losses(rows)),
    "brier_score": lambda rows: _mean_of(brier_squares(rows)),
    "roc_auc": _auc,
}
_REGRESSION: dict[str, Callable[[Regressed], Prepare | None]] = {
    "rmse": _rmse,
    "mae": lambda rows: mean(np.abs(rows.predicted - rows.truth)),
    "r2": _r2,
}


def subset(rows: Classified | Regressed, chosen: NDArray[np.bool_]) -> Classified | Regressed:
    """Some of the rows, as rows of their own."""
    if isinstance(rows, Regressed):
        return Regressed(rows.truth[chosen], rows.predicted[chosen])
    given = rows.probabilities
    some = None if given is None else given[chosen]
    return Classified(rows.truth[chosen], rows.predicted[chosen], some, rows.classes)
