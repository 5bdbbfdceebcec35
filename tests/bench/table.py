"""Figures for people and for programs: a table on the terminal, the same as JSON in a file."""

import argparse
import json
import os
import platform
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

Figures = dict[str, Any]


class Options(NamedTuple):
    """What every measurement is told: how big it is to be, and where its figures go."""

    size: int
    json: Path | None


def options(text: str | None, name: str, *, whole: int, quick: int) -> Options:
    """Read the command line: `--NAME COUNT`, `--quick`, `--json FILE`."""
    given = parser(text, name, whole=whole, quick=quick).parse_args()
    return Options(given.size or (quick if given.quick else whole), given.json)


def parser(text: str | None, name: str, *, whole: float, quick: float) -> argparse.ArgumentParser:
    """The same, for programs that are told more."""
    found = argparse.ArgumentParser(description=(text or "").splitlines()[0])
    found.add_argument(f"--{name}", dest="size", type=type(whole), help=f"{whole} when not given")
    found.add_argument(
        "--quick",
        action="store_true",
        help=f"{quick:.2g} {name} instead: to see that it still works",
    )
    found.add_argument("--json", type=Path, default=None, help="where the figures go as JSON")
    return found


def machine() -> Figures:
    """Say on what the figures were found, and how busy it was with other things."""
    return {
        "when": datetime.now(UTC).isoformat(timespec="seconds"),
        "cores": os.cpu_count(),
        "load": [round(load, 1) for load in os.getloadavg()],
        "python": platform.python_version(),
    }


def show(title: str, figures: Mapping[str, Any], targets: Mapping[str, str] | None = None) -> None:
    """Print one table; nested figures are indented."""
    print(f"\n{title}")
    for name, value in figures.items():
        if isinstance(value, Mapping):
            print(f"  {name}")
            for inner, one in value.items():
                print(f"    {inner:42}{_text(one):>12}")
        else:
            target = (targets or {}).get(name, "")
            print(f"  {name:44}{_text(value):>12}  {target}".rstrip())


def write(path: Path | None, figures: Mapping[str, Any]) -> None:
    """Write all figures as JSON."""
    if path is not None:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")


def _text(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.3g}" if abs(value) < 100 else f"{value:.0f}"
    return str(value)
