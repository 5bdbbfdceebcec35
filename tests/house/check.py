"""Checks every file of the tree against the house's rules, and shows how much of it is tests."""

import subprocess
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

from rules import Fault, python_faults, tree_faults, word_faults

ROOT = Path(__file__).resolve().parent.parent.parent


def files(root: Path) -> list[str]:
    """What is tracked or will be; a tree without git is taken as it is."""
    command = ["git", "-C", str(root), "ls-files", "-co", "--exclude-standard", "-z"]
    listed = subprocess.run(command, text=True, capture_output=True, check=False)
    if listed.returncode == 0:
        return sorted(path for path in listed.stdout.split("\0") if (root / path).is_file())
    every = (path for path in root.rglob("*") if path.is_file())
    return sorted(str(path.relative_to(root)) for path in every)


def faults(root: Path, paths: Iterable[str]) -> Iterator[Fault]:
    paths = list(paths)
    yield from tree_faults(paths)
    for path in paths:
        try:
            text = (root / path).read_text()
        except UnicodeDecodeError:
            continue
        yield from word_faults(path, text)
        if path.endswith(".py"):
            yield from python_faults(path, text)


def proportions(root: Path, paths: Iterable[str]) -> str:
    """Lines of code against lines of tests; the local cluster is a tool, counted apart."""
    counts = {"code": 0, "tests": 0, "tools": 0}
    for path in paths:
        if path.endswith(".py"):
            counts[_kind(path)] += (root / path).read_text().count("\n")
    ratio = counts["tests"] / max(counts["code"], 1)
    shown = ", ".join(f"{count} lines of {kind}" for kind, count in counts.items())
    return f"{shown}; tests : code = {ratio:.2f}"


def _kind(path: str) -> str:
    if path.startswith(("operator/", "images/runner/", "images/server/")):
        return "code"
    tools = not path.startswith("tests/") or path.startswith(("tests/cluster/", "tests/house/"))
    return "tools" if tools else "tests"


def main() -> int:
    paths = files(ROOT)
    found = sorted(faults(ROOT, paths))
    sys.stdout.write("".join(f"{fault}\n" for fault in found))
    sys.stdout.write(f"{proportions(ROOT, paths)}\n")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
