"""The shape of a column as a small picture: bars of equal width, or one per category."""

import math
from dataclasses import dataclass

import numpy as np

from tidemill.pages import svg
from tidemill_runner.profile.column import ColumnProfile
from tidemill_runner.profile.histogram import Floats, Histogram

BARS = 40
WIDTH, HEIGHT = 320, 64
# From this ratio of the 95th to the 5th percentile on, a linear axis shows one bar.
_ORDERS = 1000


@dataclass(frozen=True)
class Bars:
    """Rows per bar, what the two ends are, and what the bars leave out."""

    heights: list[float]
    start: str
    end: str
    note: str


def picture(bars: Bars, title: str) -> str:
    highest = max(bars.heights, default=0.0)
    if highest <= 0:
        return ""
    wide = WIDTH / len(bars.heights)
    path = "".join(
        f"M{place * wide:.4g} {HEIGHT}v-{max(height / highest * HEIGHT, 0.5):.3g}"
        f"h{max(wide - 1, 0.5):.3g}V{HEIGHT}z"
        for place, height in enumerate(bars.heights)
        if height > 0
    )
    foot = HEIGHT + 15
    return (
        svg.opened(WIDTH, HEIGHT + 20, title)
        + f'<path class="cell" d="{path}"/><path class="axis" d="M0 {HEIGHT}H{WIDTH}"/>'
        + svg.text(0, foot, svg.short(bars.start, 24), "start")
        + svg.text(WIDTH / 2, foot, bars.note, "middle")
        + svg.text(WIDTH, foot, svg.short(bars.end, 24), "end")
        + "</svg>"
    )


def numbers(column: ColumnProfile) -> Bars | None:
    """Bars over the range, over its middle 98 % where the ends are far out, or over its orders."""
    spread = column.spread
    if spread is None or not spread.total or spread.least is None or spread.greatest is None:
        return None
    low, high = float(spread.least), float(spread.greatest)
    first, early, late, last = column.quantiles([0.01, 0.05, 0.95, 0.99])
    if low > 0 and late / early > _ORDERS:
        places = np.exp(np.linspace(math.log(low), math.log(high), BARS + 1))
        return Bars(_fill(spread, column, places), number(low), number(high), "logarithmic")
    note = ""
    # Halves, since the difference of two huge numbers need not be a number.
    if last / 2 - first / 2 < 0.2 * (high / 2 - low / 2) and last > first:
        low, high, note = first, last, "middle 98 %"
    if low == high:
        return None
    places = np.linspace(0, 1, BARS + 1) * high + np.linspace(1, 0, BARS + 1) * low
    return Bars(_fill(spread, column, places), number(low), number(high), note)


def calendar(column: ColumnProfile) -> Bars | None:
    if column.calendar is None or not column.calendar.counts:
        return None
    unit, bars = column.calendar.bars()
    return Bars([float(count) for _, count in bars], bars[0][0], bars[-1][0], f"by {unit}")


def number(value: float) -> str:
    """As few digits as tell it apart."""
    whole = float(value).is_integer() and abs(value) < 1e15
    return f"{int(value):,}" if whole else f"{value:.5g}"


def _fill(spread: Histogram, column: ColumnProfile, places: Floats) -> list[float]:
    """Rows between neighbouring places; a bucket's rows are spread evenly over its width."""
    if column.values:
        values = np.array([float(value) for value, _ in column.values])
        weights = [count for _, count in column.values]
        return [float(rows) for rows in np.histogram(values, places, weights=weights)[0]]
    low, high = (spread.clip(edge) for edge in spread.edges())
    # Rows below each place: whole buckets, and the part of the one that it cuts.
    width = np.where(high > low, high - low, 1.0)
    with np.errstate(over="ignore", invalid="ignore"):
        part = np.clip((places[:, None] - low) / width, 0, 1)
    part = np.where(high > low, part, places[:, None] >= low)
    below = part @ spread.counts
    found: list[float] = np.maximum(np.diff(below), 0).tolist()
    if places[0] <= low[0]:
        found[0] += float(below[0])
    return found
