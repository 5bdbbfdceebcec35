"""Which columns go together, by the sample of rows: numbers by correlation, categories by V."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from tidemill_runner.profile.column import MOMENTS, NUMBERS
from tidemill_runner.profile.document import Profile
from tidemill_runner.schema import ColumnType

Floats = NDArray[np.float64]

TOP = 50
# Fewer rows with both values say nothing of a pair.
MIN_ROWS = 30
# What is weaker matters little; a sample of n rows shows 1 / sqrt(n) where there is nothing.
_WEAK, _DEVIATIONS = 0.1, 3
_MAX_KINDS = 30
_MAX_CATEGORIES = 60


@dataclass(frozen=True)
class Association:
    """Two columns and how strongly they go together, over `rows` of the sample.

    Pearson and Spearman for numbers and moments (-1 to 1), Cramér's V for categories (0 to 1).
    """

    one: str
    other: str
    rows: int
    pearson: float | None = None
    spearman: float | None = None
    cramer: float | None = None

    @property
    def strength(self) -> float:
        measured = (self.pearson, self.spearman, self.cramer)
        return max(abs(value) for value in measured if value is not None)


def associations(profile: Profile) -> list[Association]:
    """The strongest pairs first, at most `TOP`; none that chance may well explain."""
    found = [
        pair
        for pair in (*_numbers(profile), *_categories(profile))
        if pair.strength > max(_WEAK, _DEVIATIONS / pair.rows**0.5)
    ]
    found.sort(key=lambda pair: (-pair.strength, pair.one, pair.other))
    return found[:TOP]


def _numbers(profile: Profile) -> Iterator[Association]:
    """All pairs at once: sums over rows where both are there are products of matrices."""
    kinds = (*NUMBERS, *MOMENTS)
    columns = {
        column.name: cells
        for column in profile.columns
        if column.type in kinds
        and (cells := profile.sample.column(column.name))
        # Without a single value there is no median to subtract.
        and any(cell is not None for cell in cells)
    }
    if len(columns) < 2:
        return
    names, table = list(columns), np.array(list(columns.values()), dtype=np.float64).T
    rows = (~np.isnan(table)).astype(np.float64).T @ ~np.isnan(table)
    pearson, spearman = _correlations(table), _correlations(_ranks(table))
    strength = np.maximum(np.abs(pearson), np.abs(spearman))
    strength[(rows < MIN_ROWS) | ~np.isfinite(strength)] = -1
    upper = np.triu_indices(len(names), 1)
    for place in np.argsort(-strength[upper], kind="stable")[:TOP]:
        i, j = int(upper[0][place]), int(upper[1][place])
        if strength[i, j] < 0:
            return
        pair = float(pearson[i, j]), float(spearman[i, j])
        yield Association(names[i], names[j], int(rows[i, j]), *pair)


def _correlations(table: Floats) -> Floats:
    """Pearson's r of all pairs of columns, each over the rows that have both; NaN if constant."""
    there = ~np.isnan(table)
    with np.errstate(invalid="ignore", divide="ignore", over="ignore"):
        # Scaled first, so that no square overflows; the shift keeps the differences exact.
        centred = table - np.nanmedian(np.where(there, table, np.nan), axis=0)
        size = np.nanmax(np.abs(centred), axis=0)
        filled = np.where(there, centred / np.where(size > 0, size, 1), 0.0)
        mask = there.astype(np.float64)
        n, sums = mask.T @ mask, filled.T @ mask
        products, squares = filled.T @ filled, (filled**2).T @ mask
        covariance = products - sums * sums.T / n
        variance = squares - sums**2 / n
        # What is left by rounding is no variance.
        variance[variance < 1e-12 * np.maximum(squares, 1e-300)] = np.nan
        return np.clip(covariance / np.sqrt(variance * variance.T), -1, 1)


def _ranks(table: Floats) -> Floats:
    """Mean ranks within each column, over all of its values."""
    ranks = np.full_like(table, np.nan)
    for column in range(table.shape[1]):
        there = ~np.isnan(table[:, column])
        _, places, counts = np.unique(table[there, column], return_inverse=True, return_counts=True)
        ranks[there, column] = (np.cumsum(counts) - (counts - 1) / 2)[places]
    return ranks


def _categories(profile: Profile) -> Iterator[Association]:
    codes: dict[str, NDArray[np.int64]] = {}
    for column in profile.columns:
        cells = profile.sample.column(column.name)
        if cells is None or column.type not in (ColumnType.STRING, ColumnType.BOOLEAN):
            continue
        kinds = {
            kind: code
            for code, kind in enumerate(sorted({c for c in cells if c is not None}, key=str))
        }
        if 2 <= len(kinds) <= _MAX_KINDS and len(codes) < _MAX_CATEGORIES:
            codes[column.name] = np.array([-1 if c is None else kinds[c] for c in cells])
    for one, other in combinations(codes, 2):
        both = (codes[one] >= 0) & (codes[other] >= 0)
        rows = int(both.sum())
        value = cramer(codes[one][both], codes[other][both]) if rows >= MIN_ROWS else None
        if value is not None:
            yield Association(one, other, rows, cramer=value)


def cramer(one: NDArray[np.int64], other: NDArray[np.int64]) -> float | None:
    """Cramér's V without its bias (Bergsma, J. Korean Stat. Soc. 42, 2013); None if constant."""
    n, r, k = len(one), len(np.unique(one)), len(np.unique(other))
    if min(r, k) < 2:
        return None
    rows, columns = (np.unique(codes, return_inverse=True)[1] for codes in (one, other))
    table = np.bincount(rows * k + columns, minlength=r * k).reshape(r, k)
    expected = np.outer(table.sum(axis=1), table.sum(axis=0)) / n
    phi = float(((table - expected) ** 2 / expected).sum()) / n
    fair = max(phi - (r - 1) * (k - 1) / (n - 1), 0.0)
    least = min(r - (r - 1) ** 2 / (n - 1), k - (k - 1) ** 2 / (n - 1)) - 1
    return min((fair / least) ** 0.5, 1.0) if least > 0 else None
