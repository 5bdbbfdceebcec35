"""Writes what is generated from the API: `crds/*.yaml` and, with `--reasons`, `docs/reasons.md`.

python -m tidemill.api.crdgen             writes the CRDs
python -m tidemill.api.crdgen --reasons   writes the page of reasons
python -m tidemill.api.crdgen --check     writes nothing; fails with a diff where a file is old
"""

import argparse
import difflib
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from tidemill.api import crd
from tidemill.api.reference import reasons_page

CRDS = Path("crds")
REASONS = Path("docs/reasons.md")


def generated_crds() -> dict[Path, str]:
    """Give each CRD file, by its path from the root of the tree."""
    return {CRDS / f"{kind.plural}.yaml": crd.render(kind) for kind in crd.KINDS}


def generated_reasons() -> dict[Path, str]:
    """Give the page of reasons, by its path from the root of the tree."""
    return {REASONS: reasons_page()}


def difference(root: Path, files: Mapping[Path, str]) -> str:
    """Give what would change under `root`, as a unified diff; empty when nothing would."""
    parts: list[str] = []
    for path, wanted in files.items():
        target = root / path
        present = target.read_text(encoding="utf-8") if target.exists() else ""
        lines = (present.splitlines(keepends=True), wanted.splitlines(keepends=True))
        parts += difflib.unified_diff(*lines, fromfile=str(path), tofile=f"{path} (generated)")
    stray = {found.relative_to(root) for found in (root / CRDS).glob("*.yaml")} - set(files)
    parts += [f"{path} is generated from no model: remove it\n" for path in sorted(stray)]
    return "".join(parts)


def write(root: Path, files: Mapping[Path, str]) -> None:
    """Write the files under `root`; those that are already right stay untouched."""
    for path, wanted in files.items():
        target = root / path
        target.parent.mkdir(parents=True, exist_ok=True)
        if not target.exists() or target.read_text(encoding="utf-8") != wanted:
            target.write_text(wanted, encoding="utf-8")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; gives the exit code."""
    parser = argparse.ArgumentParser(prog="python -m tidemill.api.crdgen", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("--check", action="store_true", help="fail where a file is not up to date")
    parser.add_argument("--reasons", action="store_true", help="write docs/reasons.md instead")
    parser.add_argument("--root", type=Path, default=Path(), help="root of the tree (default: .)")
    options = parser.parse_args(arguments)
    if options.check:
        found = difference(options.root, generated_crds() | generated_reasons())
        sys.stderr.write(found and f"{found}\nnot up to date: run `make crds` and commit\n")
        return 1 if found else 0
    write(options.root, generated_reasons() if options.reasons else generated_crds())
    return 0


if __name__ == "__main__":
    sys.exit(main())
