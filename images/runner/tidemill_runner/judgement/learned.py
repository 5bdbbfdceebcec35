"""The learning curve as a part of a report."""

from html import escape

from tidemill.pages import page
from tidemill_runner.judgement.findings import number
from tidemill_runner.judgement.judge import Judged
from tidemill_runner.judgement.plots import Frame, scale
from tidemill_runner.judgement.sections import figure


def section(judged: Judged) -> str:
    """What fewer rows would have given; empty where it was not asked for."""
    found = judged.learning
    if found is None:
        return ""
    known = [(point.rows, point.estimate) for point in found.points if point.estimate is not None]
    rows = [
        [
            page.cell(f"{point.rows:,}", number=True),
            page.cell(number(one.value) if (one := point.estimate) else "", number=True),
            page.cell(f"{number(one.low)} – {number(one.high)}" if one else point.note),
        ]
        for point in found.points
    ]
    table = page.table(("#Rows trained on", f"#{found.metric}", "95 % interval"), rows)
    words = "The same estimator fitted on fewer rows, measured on the same rows held out."
    start = f"<h2>Were there more rows</h2><p>{escape(words)}</p>"
    if len(known) < 2:
        return start + table
    ends = scale([end for _, one in known for end in (one.low, one.high)])
    frame = Frame(
        title="Learning curve",
        across="rows trained on",
        up=found.metric,
        x=(0, known[-1][0]),
        y=ends,
        height=180,
    )
    line = [(float(rows), one.value) for rows, one in known]
    picture = frame.draw(
        frame.steady(
            [(float(rows), one.low) for rows, one in known],
            [(float(rows), one.high) for rows, one in known],
        ),
        frame.line(line),
        frame.dots(line),
    )
    return start + figure(picture, "With 95 % intervals.") + table
