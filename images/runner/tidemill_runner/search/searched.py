"""The search as a part of the report: what was tried, what came of it, what mattered."""

import json
import math
from html import escape

from tidemill.pages import page, svg
from tidemill_runner.judgement.findings import number
from tidemill_runner.judgement.plots import Frame, scale
from tidemill_runner.judgement.sections import figure
from tidemill_runner.search.search import Found
from tidemill_runner.search.sought import Dimension
from tidemill_runner.search.trial import Outcome

MOST_LINES = 300
MOST_AXES = 10
MOST_LABELS = 6
_STEP, _HEIGHT, _LEFT, _TOP = 130, 240, 70, 40


def section(found: Found) -> str:
    """All trials: as a table, by their number, by their parameters; and which of these mattered."""
    pictures = f'<div class="row">{_by_number(found)}{_importance(found)}</div>{_parallel(found)}'
    return f"<h2>Search</h2><p>{escape(_words(found))}</p>{pictures}{_table(found)}"


def _words(found: Found) -> str:
    done, asked = len(found.outcomes), found.asked
    cut = "each judged by a fit on the rows before it" if found.ordered else "each judged once"
    failed = f" {found.failed} of them failed." if found.failed else ""
    stopped = asked.patience is not None and done < found.total
    early = f" It stopped early, after {asked.patience} that were no better." * stopped
    rounds = ", then ".join(f"{one.trials} on {one.rows:,} rows" for one in found.rounds)
    halved = f" Rounds: {rounds}; the best of each went on." * bool(rounds)
    return (
        f"{done} trials by {asked.method}, judged by {found.metric} on the rows trained on alone, "
        f"in {asked.folds} folds, {cut}.{halved}{failed}{early} Trial {found.best.number} was the "
        f"best, with {found.metric}={number(found.best.value or 0.0)} in the mean of its folds. "
        "The best of many is flattered by chance: what the model does is told by the rows held out."
    )


def _table(found: Found) -> str:
    rows_of = ("#Rows",) if found.rounds else ()
    heads = ("#Trial", *rows_of, "Parameters", f"#{found.metric}", "Folds", "#Seconds")
    rows = [_row(one, best=one is found.best) for one in found.outcomes]
    return f"<h3>Trials</h3>{page.table(heads, rows)}"


def _row(one: Outcome, *, best: bool) -> list[str]:
    params = ", ".join(f"{name}={shown(value)}" for name, value in one.params.items())
    if one.value is None:
        told = f'<td class="bad">{escape(one.reason or "")}</td>'
        folds = page.cell(svg.short(one.message or "", 300))
    else:
        mark = "good n" if best else "n"
        told = f'<td class="{mark}">{one.value:.6g}</td>'
        folds = page.cell(", ".join(number(value) for value in one.folds))
    return [
        page.cell(str(one.number), number=True),
        *([] if one.rows is None else [page.cell(f"{one.rows:,}", number=True)]),
        page.cell(params),
        told,
        folds,
        page.cell(f"{one.seconds:.2f}", number=True),
    ]


def shown(value: object) -> str:
    """A value of a parameter in short."""
    return svg.short(f"{value:.4g}" if isinstance(value, float) else json.dumps(value), 80)


def _by_number(found: Found) -> str:
    alike = found.alike
    points = [(float(o.number), o.value) for o in alike if o.value is not None]
    frame = Frame(
        title=f"{found.metric} of each trial",
        across="trial",
        up=found.metric,
        x=(0.0, float(max(len(alike) - 1, 1))),
        y=scale([value for _, value in points]),
        height=180,
    )
    best: list[tuple[float, float]] = []
    for place, value in points:
        kept = best[-1][1] if best else value
        better = max(kept, value) if found.more else min(kept, value)
        best.append((place, better))
    drawn = frame.draw(frame.dots(points, 2.5), frame.line(best) if len(best) > 1 else "")
    return figure(drawn, f"Each dot is a trial{_of(found)}; the line is the best so far.")


def _importance(found: Found) -> str:
    if not found.importance:
        return ""
    rows = sorted(found.importance.items(), key=lambda pair: (-pair[1], pair[0]))
    width, line = 320, 22
    parts = [svg.opened(width, len(rows) * line + 8, "Importance of the parameters")]
    for place, (name, share) in enumerate(rows):
        y = place * line + 4
        parts.append(f'<rect class="cell" x="0" y="{y}" width="{share * 100:.1f}" height="14"/>')
        told = f"{share:.0%} {svg.short(name, 30)}"
        parts.append(svg.text(share * 100 + 6, y + 11, told, "start"))
    caption = f"The share of each parameter in how the trials{_of(found)} differ (fANOVA)."
    return figure("".join(parts) + "</svg>", caption)


def _parallel(found: Found) -> str:
    """A line for each trial through its parameters to its value; the better, the stronger."""
    done = sorted(
        (one for one in found.alike if one.value is not None),
        key=lambda one: (one.value or 0.0) * (-1 if found.more else 1),
    )[:MOST_LINES]
    space = found.asked.space[:MOST_AXES]
    ends = scale([one.value or 0.0 for one in done])
    width = _LEFT * 2 + _STEP * len(space)
    parts = [svg.opened(width, _HEIGHT + _TOP + 20, "Parameters and values of the trials")]
    for rank, one in reversed(list(enumerate(done))):
        up = [_place(axis, one.params[axis.name]) for axis in space]
        up.append(((one.value or 0.0) - ends[0]) / (ends[1] - ends[0]))
        path = "L".join(f"{_LEFT + i * _STEP} {_y(share):.1f}" for i, share in enumerate(up))
        strong = 1.0 if rank == 0 else max(0.08, 0.6 * (1 - rank / len(done)))
        thick = 3 if rank == 0 else 1
        style = f"stroke-opacity:{strong:.2f};stroke-width:{thick}"
        parts.append(f'<path class="line" style="{style}" d="M{path}"/>')
    for place, axis in enumerate(space):
        parts += _axis(place, axis.name, _labels(axis))
    labels = [(0.0, number(ends[0])), (1.0, number(ends[1]))]
    parts += _axis(len(space), found.metric, labels)
    left = len(found.asked.space) - len(space)
    more = f" {left} more parameters are in the table." if left else ""
    caption = f"A line is a trial{_of(found)}, the strongest the best.{more}"
    return figure("".join(parts) + "</svg>", caption)


def _of(found: Found) -> str:
    return " of the first round" if found.rounds else ""


def _axis(place: int, name: str, labels: list[tuple[float, str]]) -> list[str]:
    x = _LEFT + place * _STEP
    return [
        f'<path class="axis" d="M{x} {_TOP}V{_TOP + _HEIGHT}"/>',
        svg.text(x, 12 + 14 * (place % 2), svg.short(name, 28), "middle"),
        *(svg.text(x + 4, _y(share) + 4, svg.short(words, 14), "start") for share, words in labels),
    ]


def _y(share: float) -> float:
    return _TOP + (1 - share) * _HEIGHT


def _place(axis: Dimension, value: object) -> float:
    """Where a value lies on its axis, from 0 to 1."""
    if axis.ends is None:
        place = [repr(each) for each in axis.values].index(repr(value))
        return place / max(len(axis.values) - 1, 1)
    low, high = (math.log(end) if axis.log else float(end) for end in axis.ends)
    at = float(value) if isinstance(value, int | float) else low
    return ((math.log(at) if axis.log else at) - low) / (high - low)


def _labels(axis: Dimension) -> list[tuple[float, str]]:
    if axis.ends is not None:
        return [(0.0, shown(axis.ends[0])), (1.0, shown(axis.ends[1]))]
    step = max(1, -(-len(axis.values) // MOST_LABELS))
    return [(_place(axis, value), shown(value)) for value in axis.values[::step]]
