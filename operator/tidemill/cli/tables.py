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
    shown = table("VERSION", "VERDICT", ">ROWS", ">SIZE", "WHY", "CHANGE", ">AGE")
    for item in items:
        verdict = versions.verdict(item, status)
        shown.add_row(
            short(item["version"]),
            styled(verdict, _STYLES.get(verdict, "")),
            f"{item['rows']:,}" if "rows" in item else "",
            size(item["bytes"]) if "bytes" in item else "",
            plain(item.get("why") or ""),
            plain((item.get("change") or {}).get("kind") or ""),
            age(item.get("createdAt") or item.get("recordedAt")),
        )
    screen = console()
    screen.print(shown)
    for item in [item for item in items if item.get("rejected")][:MAX_REJECTED]:
        told = plain(item["rejected"].get("message") or "")
        screen.print(styled(f"\n{short(item['version'])} was not let in: {told}", ""))
    if not items:
        click.echo(f"{name} has no version yet.")


def diff(names: tuple[str, str], rows: tuple[int, int], changes: Sequence[Change]) -> None:
    """Show changes, the most important first."""
    screen = console()
    counts = f"{rows[0]:,} rows → {rows[1]:,} rows"
    screen.print(styled(f"{names[0]} → {names[1]}: {counts}", "bold"))
    if not changes:
        screen.print("Nothing that matters is different.")
        return
    shown = table("COLUMN", "CHANGE", "WHAT")
    for change in changes:
        style = "red" if change.breaking else ""
        column = plain(change.column, NAME) if change.column is not None else "(rows)"
        shown.add_row(
            styled(column, ""),
            styled(change.kind + (" !" if change.breaking else ""), style),
            styled(plain(change.message, 400), ""),
        )
    screen.print(shown)
    if any(change.breaking for change in changes):
        screen.print("! breaks those who have learnt from the version before.")


def console() -> Any:  # noqa: ANN401 - imported where it is used: help must be quick
    """Give the terminal, plain where it is none."""
    from rich.console import Console  # noqa: PLC0415

    return Console(highlight=False, soft_wrap=False)


def table(*titles: str) -> Any:  # noqa: ANN401 - as above
    """Begin a table; a title that begins with > is of a column of numbers."""
    from rich.table import Table  # noqa: PLC0415

    made = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), show_edge=False)
    for title in titles:
        number = title.startswith(">")
        wide = title in ("WHAT", "COLUMN")
        made.add_column(
            title.lstrip(">"),
            justify="right" if number else "left",
            no_wrap=not wide,
            overflow="fold",
        )
    return made


def styled(text: str, style: str) -> Any:  # noqa: ANN401 - as above
    """Give text of which nothing is obeyed, in a style of ours."""
    from rich.text import Text  # noqa: PLC0415

    return Text(text, style=style)
