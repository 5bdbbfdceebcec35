"""A file that a command writes: whole or not at all, and opened where that is asked for."""

import webbrowser
from pathlib import Path

import click


def written(target: Path, page: bytes, *, show: bool) -> None:
    """Write a page and say where; with `show`, open it in a browser."""
    part = target.with_name(f".{target.name}.part")
    try:
        part.write_bytes(page)
        part.replace(target)
    finally:
        part.unlink(missing_ok=True)
    click.echo(str(target))
    if show and not webbrowser.open(target.resolve().as_uri()):
        click.echo(f"no browser could be opened: open {target} yourself", err=True)
