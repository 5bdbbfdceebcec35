"""What features contribute as a part of a report: a bar each, and a swarm of rows."""

from collections import Counter
from html import escape

from tidemill.pages import page, svg
from tidemill_runner.judgement.contributed import Contributed, Contribution
from tidemill_runner.judgement.findings import number
from tidemill_runner.judgement.judge import Judged
from tidemill_runner.judgement.sections import MOST_FEATURES, bar, figure

_LABEL, _WIDTH, _ROW, _RADIUS = 170, 420, 26, 2.5
_BINS, _MOST_BESIDE = 60, 4
_NAME = 80


def section(judged: Judged) -> str:
    """Empty where it was not asked for."""
    found = judged.contributed
    if found is None:
        return ""
    head = "<h2>What features contribute</h2>"
    if found.note:
        return f"{head}<p>{escape(found.note)}.</p>"
    words = (
        f"Exact contributions (SHAP values) to the {found.unit}, on a sample of {found.rows:,} "
        "rows held out, of the features as the last step sees them: the mean without sign"
        + (", over the classes." if len(found.base) > 1 else ".")
    )
    return f"{head}<p>{escape(words)}</p>{_table(found)}{_swarm(found)}"


def _table(found: Contributed) -> str:
    most = max((one.mean for one in found.features), default=0.0)
    rows = (
        [
            page.cell(svg.short(one.feature, _NAME)),
            page.cell(number(one.mean), number=True),
            f"<td>{bar(one.mean, most)}</td>",
        ]
        for one in found.features[:MOST_FEATURES]
    )
    left = len(found.features) - MOST_FEATURES + found.skipped
    more = f"<p>{left:,} smaller ones are left out.</p>" if left > 0 else ""
    return page.table(("Feature", "#Mean contribution", ""), rows) + more


def _swarm(found: Contributed) -> str:
    drawn = [one for one in found.features if one.rows]
    most = max((abs(added) for one in drawn for added, _ in one.rows), default=0.0)
    if not most:
        return ""
    height = len(drawn) * _ROW + 40
    middle = _LABEL + _WIDTH / 2
    parts = [
        svg.opened(_LABEL + _WIDTH + 14, height, "Contributions by row"),
        f'<path class="axis" d="M{middle:.0f} 6V{height - 24}"/>',
        *(_line(one, place, most) for place, one in enumerate(drawn)),
        svg.text(_LABEL, height - 6, number(-most), "start"),
        svg.text(middle, height - 6, "0", "middle"),
        svg.text(_LABEL + _WIDTH, height - 6, number(most), "end"),
        "</svg>",
    ]
    words = "Each dot is a row: what the feature adds to what is said of it. Darker: larger values."
    return figure("".join(parts), words)


def _line(one: Contribution, place: int, most: float) -> str:
    down = place * _ROW + 18.0
    beside: Counter[int] = Counter()
    dots = []
    for added, rank in one.rows:
        share = (added / most + 1) / 2
        step = beside[round(share * _BINS)]
        beside[round(share * _BINS)] += 1
        # Above and below in turn, and never into the next feature's line.
        away = (step + 1) // 2 * (1 if step % 2 else -1)
        lifted = max(min(away, _MOST_BESIDE), -_MOST_BESIDE) * _RADIUS
        dots.append(
            f'<circle class="cell" fill-opacity="{0.2 + 0.8 * rank:.2f}" r="{_RADIUS}" '
            f'cx="{_LABEL + share * _WIDTH:.1f}" cy="{down + lifted:.1f}"/>'
        )
    return svg.text(_LABEL - 8, down + 4, svg.short(one.feature, 24), "end") + "".join(dots)
