"""The report's pictures: plain SVG, drawn from numbers, colours from the page."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from tidemill.pages import svg

MAX_CLASSES = 20
MAX_DOTS = 1500
_CELL = 44
_MARGIN = 130
_SIDE = 360


def confusion(table: NDArray[np.int64], classes: tuple[Any, ...]) -> str:
    """Rows are true classes, columns predicted ones; darker is a larger share of the row."""
    k = len(classes)
    size = _MARGIN + k * _CELL + 10
    totals = np.maximum(table.sum(axis=1, keepdims=True), 1)
    parts = [
        svg.opened(size, size, "Confusion matrix: true classes down, predicted classes across")
    ]
    for row in range(k):
        middle = _MARGIN + row * _CELL + _CELL / 2
        parts.append(svg.text(_MARGIN - 8, middle + 4, svg.short(classes[row], 16), "end"))
        # Beside its neighbours there is room for a few characters only.
        parts.append(svg.text(middle, _MARGIN - 8, svg.short(classes[row], 6), "middle"))
        share = float(totals[row, 0])
        parts.extend(_cell(row, column, int(table[row, column]), share) for column in range(k))
    return "".join(parts) + "</svg>"


def residuals(truth: NDArray[np.float64], predicted: NDArray[np.float64]) -> str:
    """True values across, predicted ones up; on the diagonal the prediction is right."""
    chosen = np.linspace(0, len(truth) - 1, min(MAX_DOTS, len(truth))).astype(int)
    truth, predicted = truth[chosen], predicted[chosen]
    low = float(min(truth.min(), predicted.min()))
    span = float(max(truth.max(), predicted.max())) - low or 1.0
    across = 60 + (truth - low) / span * _SIDE
    up = 10 + _SIDE - (predicted - low) / span * _SIDE
    end = 60 + _SIDE
    parts = [
        svg.opened(end + 10, _SIDE + 50, "Predicted against true values of the rows held out"),
        f'<path class="axis" d="M60 10V{10 + _SIDE}H{end}M60 {10 + _SIDE}L{end} 10"/>',
        *(
            f'<circle class="dot" cx="{x:.1f}" cy="{y:.1f}" r="2.5"/>'
            for x, y in zip(across, up, strict=True)
        ),
        svg.text(60, _SIDE + 28, f"{low:.4g}", "start"),
        svg.text(end, _SIDE + 28, f"{low + span:.4g}", "end"),
        svg.text(60 + _SIDE / 2, _SIDE + 44, "true", "middle"),
        svg.text(54, 20, "predicted", "end"),
    ]
    return "".join(parts) + "</svg>"


def _cell(row: int, column: int, count: int, total: float) -> str:
    x, y = _MARGIN + column * _CELL, _MARGIN + row * _CELL
    box = (
        f'<rect class="cell" x="{x + 1}" y="{y + 1}" width="{_CELL - 2}" height="{_CELL - 2}" '
        f'rx="3" fill-opacity="{0.06 + 0.6 * count / total:.3f}"/>'
    )
    return box + svg.text(x + _CELL / 2, y + _CELL / 2 + 4, _count(count), "middle")


def _count(count: int) -> str:
    if count < 100_000:
        return str(count)
    return f"{count / 1000:.0f}k" if count < 10_000_000 else f"{count / 1e6:.0f}M"
