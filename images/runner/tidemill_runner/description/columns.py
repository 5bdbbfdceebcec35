"""A column in a few lines: what it holds, how it is spread, what stands out."""

from collections import Counter
from html import escape

from tidemill.pages import svg
from tidemill_runner.description import plot
from tidemill_runner.profile.column import ColumnProfile, Value
from tidemill_runner.profile.document import Profile
from tidemill_runner.schema import ColumnType

SHARES = (0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99)
TOP = 8
# Up to so many different numbers get a bar each.
_FEW = 8
_NAME = 200
_LABEL = 60


def section(profile: Profile, place: int) -> str:
    """One column of the profile as HTML; the anchor is `c` and its place."""
    column = profile.columns[place]
    parts = [
        f'<section class="c" id="c{place}"><h3>{escape(svg.short(column.name, _NAME))} ',
        f"<small>{escape(_kind(column))}</small></h3>",
        _list({**_counts(column), **_extent(column)}),
    ]
    if not column.sensitive and column.count:
        parts.append(_shape(profile, column))
    return "".join(parts) + "</section>"


def share(part: float) -> str:
    """A share in percent; neither 0 nor 100 unless it is."""
    if 0 < part < 0.0005:
        return "< 0.1 %"
    return "> 99.9 %" if 0.9995 <= part < 1 else f"{part:.1%}".replace("%", " %")


def _kind(column: ColumnProfile) -> str:
    return f"{column.type}, sensitive" if column.sensitive else str(column.type)


def _list(known: dict[str, str]) -> str:
    items = (
        f"<div><dt>{escape(name)}</dt><dd>{escape(value)}</dd></div>"
        for name, value in known.items()
    )
    return f"<dl>{''.join(items)}</dl>"


def _counts(column: ColumnProfile) -> dict[str, str]:
    about = "" if column.values is not None or not column.count else "about "
    known = {
        "missing": f"{column.gaps.missing:,} ({share(column.missing)})",
        "distinct": f"{about}{column.distinct:,}",
    }
    if infinite := column.gaps.minus_infinite + column.gaps.plus_infinite:
        known["infinite"] = f"{infinite:,}"
    if column.gaps.nans:
        known["of them NaN"] = f"{column.gaps.nans:,}"
    return known


def _extent(column: ColumnProfile) -> dict[str, str]:
    if column.range is None:
        return {}
    low, high = column.range
    known = {"from": _shown(low), "to": _shown(high)}
    if column.lengths is not None and column.lengths.total:
        longest = int(column.lengths.greatest or 0)
        typical = column.lengths.quantile(0.5)
        known["length"] = f"{typical:.0f} at the median, {longest:,} at most"
    if column.spread is not None:
        known["mean"] = plot.number(column.mean())
        known["deviation"] = plot.number(column.deviation())
        for part, value in zip(SHARES, column.quantiles(SHARES), strict=True):
            known[f"{part * 100:.0f} %"] = plot.number(value)
    return known


def _shape(profile: Profile, column: ColumnProfile) -> str:
    categorical = column.type in (ColumnType.STRING, ColumnType.BOOLEAN)
    few = column.values is not None and len(column.values) <= _FEW
    if categorical or (few and column.spread is not None):
        return _categories(profile, column)
    bars = plot.numbers(column) or plot.calendar(column)
    return plot.picture(bars, f"Rows by {svg.short(column.name, _LABEL)}") if bars else ""


def _categories(profile: Profile, column: ColumnProfile) -> str:
    """The most frequent values; of many, what the sample shows of them."""
    if column.values is not None:
        return _bars(Counter(dict(column.values)), column.count, "")
    cells = [cell for cell in profile.sample.column(column.name) or () if cell is not None]
    counts: Counter[Value] = Counter(cells)
    repeated = Counter({kind: n for kind, n in counts.items() if n > 1})
    if not repeated:
        return ""
    return _bars(repeated, len(cells), f"by a sample of {len(cells):,} rows")


def _bars(counts: Counter[Value], total: int, note: str) -> str:
    ordered = sorted(counts.items(), key=lambda item: (-item[1], str(item[0])))
    highest = ordered[0][1]
    rows = "".join(
        f'<tr><td>{escape(svg.short(_shown(kind), _LABEL))}</td><td class="n">'
        f'{share(n / total)}</td><td><svg width="120" height="10" aria-hidden="true">'
        f'<rect class="cell" width="{max(n / highest * 120, 1):.0f}" height="10"/></svg></td></tr>'
        for kind, n in ordered[:TOP]
    )
    more = f"{len(ordered) - TOP:,} more" if len(ordered) > TOP and not note else note
    return f'<table class="k">{rows}</table>' + (f"<p>{more}</p>" if more else "")


def _shown(value: Value) -> str:
    match value:
        case "":
            return "(empty)"
        case str():
            return value
        case bool():
            return str(value).lower()
        case _:
            return plot.number(value)
