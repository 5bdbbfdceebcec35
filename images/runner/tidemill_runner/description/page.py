"""The page: head, checks, changes, groups, what goes together, what is missing, each column."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from html import escape
from pathlib import Path
from typing import Any

from tidemill.pages import page, svg
from tidemill_runner.description import checks, columns, groups
from tidemill_runner.profile import associations
from tidemill_runner.profile.compare import Change, compare
from tidemill_runner.profile.document import Profile

STYLES = (page.STYLE, Path(__file__).with_name("description.css"))
MAX_CHANGES = 100
MAX_PATTERNS = 15
_PATTERN_NAMES = 12
_NAME = 120


@dataclass(frozen=True)
class Description:
    """What there is to say of a version; `references` are declared shares by column and group.

    `made_from` are what was read, by name, and how rows were made of it.
    `checks` have name, kind, column, severity, evaluated, violations, fraction, passed and message
    (which names rows), each of which may be missing.
    """

    name: str
    version: str
    why: str
    bytes: int
    profile: Profile
    checks: Sequence[Mapping[str, Any]] = ()
    previous: Profile | None = None
    references: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    made_from: Mapping[str, str] = field(default_factory=dict)


def render(description: Description) -> str:
    """The whole page as HTML; values of sensitive columns are not in it, as not in the profile."""
    profile = description.profile
    sections = [
        f"<h1>{escape(description.name)}</h1>",
        f"<p>{escape(description.why)}</p>",
        page.facts("Version", _facts(description)),
        page.facts("Made from", description.made_from) if description.made_from else "",
        checks.section(description.checks),
        _changes(description),
        groups.section(profile.cells, description.references),
        _missing(profile),
        _associations(profile),
        "<h2>Columns</h2>",
        *(columns.section(profile, place) for place in range(len(profile.columns))),
    ]
    return page.document(description.name, sections, STYLES)


def _facts(description: Description) -> dict[str, str]:
    profile = description.profile
    sensitive = sum(column.sensitive for column in profile.columns)
    hidden = f", {sensitive:,} sensitive: their values are not kept" if sensitive else ""
    return {
        "Digest": description.version,
        "Rows": f"{profile.rows:,}",
        "Bytes": f"{description.bytes:,}",
        "Columns": f"{len(profile.columns):,}{hidden}",
    }


def _changes(description: Description) -> str:
    if description.previous is None:
        return ""
    comparison = compare(description.previous, description.profile)
    if not comparison.changes:
        return "<h2>Changes</h2><p>Nothing beyond chance since the version before.</p>"
    places = {column.name: place for place, column in enumerate(description.profile.columns)}
    rows = (_change(change, places) for change in comparison.changes[:MAX_CHANGES])
    left = len(comparison.changes) - MAX_CHANGES
    more = f"<p>{left:,} less important ones left out.</p>" if left > 0 else ""
    heads = ("Column", "Change", "Since the version before", "#Importance")
    return "<h2>Changes</h2>" + page.table(heads, rows) + more


def _change(change: Change, places: Mapping[str, int]) -> list[str]:
    name = escape(svg.short(change.column or "", _NAME))
    if change.column is not None and change.column in places:
        name = f'<a href="#c{places[change.column]}">{name}</a>'
    return [
        f"<td>{name}</td>",
        page.cell(str(change.kind)),
        page.cell(change.message),
        page.cell(f"{change.importance:.2f}", number=True),
    ]


def _missing(profile: Profile) -> str:
    patterns = profile.patterns
    if not patterns.columns:
        return "<h2>Missing values</h2><p>None.</p>"
    if patterns.counts is None:
        words = f"{len(patterns.columns):,} columns have gaps, in more combinations than are kept."
        return f"<h2>Missing values</h2><p>{words}</p>"
    rows = (
        [
            page.cell(_names(names)),
            page.cell(f"{count:,}", number=True),
            page.cell(columns.share(count / profile.rows), number=True),
        ]
        for names, count in patterns.top(MAX_PATTERNS)
    )
    return "<h2>Missing values</h2>" + page.table(("Missing together", "#Rows", "#Share"), rows)


def _names(names: Sequence[str]) -> str:
    shown = ", ".join(svg.short(name, 60) for name in names[:_PATTERN_NAMES])
    left = len(names) - _PATTERN_NAMES
    return f"{shown} and {left:,} more" if left > 0 else shown


def _associations(profile: Profile) -> str:
    found = associations.associations(profile)
    if not found:
        return ""
    rows = (
        [
            page.cell(svg.short(pair.one, _NAME)),
            page.cell(svg.short(pair.other, _NAME)),
            *(
                page.cell("" if value is None else f"{value:.2f}", number=True)
                for value in (pair.pearson, pair.spearman, pair.cramer)
            ),
        ]
        for pair in found
    )
    note = f"By a sample of {len(profile.sample.cells):,} rows, the strongest first."
    heads = ("Column", "Column", "#Pearson", "#Spearman", "#Cramér's V")
    return f"<h2>What goes together</h2><p>{note}</p>" + page.table(heads, rows)
