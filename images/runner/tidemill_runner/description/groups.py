"""Groups: who is in the data, against what was declared, and who carries which label."""

from collections.abc import Mapping, Sequence

from tidemill.pages import page, svg
from tidemill_runner.description import columns
from tidemill_runner.profile.cells import MAX_GROUPS, MAX_LABELS, Cells
from tidemill_runner.profile.groups import MIN_ROWS, Group, Share, representation

_NAME = 80


def section(cells: Sequence[Cells], references: Mapping[str, Mapping[str, float]]) -> str:
    if not cells:
        return ""
    note = (
        "With 95 % intervals (Wilson). What fewer than "
        f"{MIN_ROWS} rows stand for is not shown. “Under” and “over”: the declared share is "
        "outside of the interval."
    )
    return f"<h2>Groups</h2><p>{note}</p>" + "".join(
        _one(cell, references.get(cell.column, {})) for cell in cells
    )


def _one(cells: Cells, reference: Mapping[str, float]) -> str:
    name = svg.short(cells.column, _NAME)
    if cells.counts is None:
        words = f"More than {MAX_GROUPS} groups or {MAX_LABELS} labels: not counted."
        return page.table((name,), [[page.cell(words)]])
    found = representation(cells, reference)
    labels = [label for label, _ in found[0].rates] if found else []
    heads = [name, "Share of rows", "#Declared", ""]
    heads += [f"{svg.short(cells.label, _NAME)} = {svg.short(label, _NAME)}" for label in labels]
    return page.table(heads, (_row(group) for group in found))


def _row(group: Group) -> list[str]:
    declared = "" if group.reference is None else columns.share(group.reference)
    return [
        page.cell(svg.short(group.name, _NAME)),
        page.cell(_shown(group.share)),
        page.cell(declared, number=True),
        _verdict(group),
        *(page.cell(_shown(rate)) for _, rate in group.rates),
    ]


def _verdict(group: Group) -> str:
    share, reference = group.share, group.reference
    if share is None or reference is None or not share.excludes(reference):
        return "<td></td>"
    return f'<td class="warn">{"under" if share.value < reference else "over"}</td>'


def _shown(share: Share | None) -> str:
    if share is None:
        return f"fewer than {MIN_ROWS} rows"
    return f"{share.value:.1%} ({share.low:.1%} – {share.high:.1%})"
