"""What people see: tables that fit a terminal of 80 columns. Programs are given JSON."""

from collections.abc import Mapping, Sequence
from typing import Any

import click

from tidemill.cli import versions
from tidemill.cli.difference import Change
from tidemill.cli.words import age, plain, short, size

MAX_REJECTED = 3
NAME = 24
_STYLES = {"InUse": "green", "Rejected": "red"}


def history(name: str, items: Sequence[Mapping[str, Any]], status: Mapping[str, Any]) -> None:
    """Show versions, one a line, and why the newest of those not let in were not."""
    table = _table("VERSION", "VERDICT", ">ROWS", ">SIZE", "WHY", "CHANGE", ">AGE")
    for item in items:
        verdict = versions.verdict(item, status)
        table.add_row(
            short(item["version"]),
            _styled(verdict, _STYLES.get(verdict, "")),
            f"{item['rows']:,}" if "rows" in item else "",
            size(item["bytes"]) if "bytes" in item else "",
            plain(item.get("why") or ""),
            plain((item.get("change") or {}).get("kind") or ""),
            age(item.get("createdAt") or item.get("recordedAt")),
        )
    console = _console()
    console.print(table)
    for item in [item for item in items if item.get("rejected")][:MAX_REJECTED]:
        told = plain(item["rejected"].get("message") or "")
        console.print(_styled(f"\n{short(item['version'])} was not let in: {told}", ""))
    if not items:
        click.echo(f"{name} has no version yet.")


def diff(names: tuple[str, str], rows: tuple[int, int], changes: Sequence[Change]) -> None:
    """Show changes, the most important first."""
    console = _console()
    counts = f"{rows[0]:,} rows → {rows[1]:,} rows"
    console.print(_styled(f"{names[0]} → {names[1]}: {counts}", "bold"))
    if not changes:
        console.print("Nothing that matters is different.")
        return
    table = _table("COLUMN", "CHANGE", "WHAT")
    for change in changes:
        style = "red" if change.breaking else ""
        column = plain(change.column, NAME) if change.column is not None else "(rows)"
        table.add_row(
            _styled(column, ""),
            _styled(change.kind + (" !" if change.breaking else ""), style),
            _styled(plain(change.message, 400), ""),
        )
    console.print(table)
    if any(change.breaking for change in changes):
        console.print("! breaks those who have learnt from the version before.")


def _console() -> Any:  # noqa: ANN401 - imported where it is used: help must be quick
    from rich.console import Console  # noqa: PLC0415

    return Console(highlight=False, soft_wrap=False)


def _table(*titles: str) -> Any:  # noqa: ANN401 - as above
    from rich.table import Table  # noqa: PLC0415

    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), show_edge=False)
    for title in titles:
        number = title.startswith(">")
        wide = title in ("WHAT", "COLUMN")
        table.add_column(
            title.lstrip(">"),
            justify="right" if number else "left",
            no_wrap=not wide,
            overflow="fold",
        )
    return table


def _styled(text: str, style: str) -> Any:  # noqa: ANN401 - as above
    from rich.text import Text  # noqa: PLC0415

    return Text(text, style=style)
