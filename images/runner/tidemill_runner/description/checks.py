"""The table of checks: what failed first."""

from collections.abc import Mapping, Sequence
from typing import Any

from tidemill.pages import page, svg
from tidemill_runner.description import columns

MAX_CHECKS = 500
_MESSAGE = 500


def section(checks: Sequence[Mapping[str, Any]]) -> str:
    """Failures, then warnings, then what passed, each in the order given."""
    if not checks:
        return ""
    failed = sum(not check.get("passed") for check in checks)
    words = f"{failed:,} of {len(checks):,} did not pass." if failed else "All passed."
    rows = (_row(check) for check in sorted(checks, key=_rank)[:MAX_CHECKS])
    heads = ("Check", "Kind", "Column", "Result", "#Evaluated", "#Violations", "#Share", "Message")
    return f"<h2>Checks</h2><p>{words}</p>" + page.table(heads, rows)


def _rank(check: Mapping[str, Any]) -> int:
    if check.get("passed"):
        return 2
    return 1 if check.get("severity") == "Warn" else 0


def _row(check: Mapping[str, Any]) -> list[str]:
    kind, words = (("bad", "Failed"), ("warn", "Warning"), ("good", "Passed"))[_rank(check)]
    fraction = check.get("fraction")
    return [
        page.cell(_text(check, "name")),
        page.cell(_text(check, "kind")),
        page.cell(_text(check, "column")),
        f'<td class="{kind}">{words}</td>',
        page.cell(_count(check, "evaluated"), number=True),
        page.cell(_count(check, "violations"), number=True),
        page.cell("" if fraction is None else columns.share(float(fraction)), number=True),
        page.cell(svg.short(check.get("message") or "", _MESSAGE)),
    ]


def _text(check: Mapping[str, Any], name: str) -> str:
    value = check.get(name)
    return "" if value is None else svg.short(value, 120)


def _count(check: Mapping[str, Any], name: str) -> str:
    value = check.get(name)
    return "" if value is None else f"{value:,}"
