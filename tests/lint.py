"""Runs every static check, two at a time, and shows the output of those that found something."""

import os
import subprocess
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
BIN = Path(sys.executable).parent


BENCHES = [str(one) for one in sorted((ROOT / "tests" / "bench").glob("*.py"))]
SUITE = ("run", "environment", "lint", "measure")


@dataclass(frozen=True)
class Check:
    """One command; `path` is where the program's own modules are, for checks of types."""

    name: str
    command: Sequence[str]
    path: str | None = None


def types(name: str, path: str, *programs: str) -> Check:
    """Programs that stand outside of the packages, each folder with its own modules beside it."""
    cache = f"--cache-dir=.mypy_cache/{name}"
    return Check(f"types of {name}", [str(BIN / "mypy"), "--strict", cache, *programs], path)


CHECKS = (
    Check("style", [str(BIN / "ruff"), "check", "."]),
    Check("format", [str(BIN / "ruff"), "format", "--check", "."]),
    Check("types", [str(BIN / "mypy")]),
    Check("layers", [str(BIN / "lint-imports"), "--no-cache"]),
    Check("house", [sys.executable, "tests/house/check.py"]),
    Check("generated files", [sys.executable, "-m", "tidemill.api.crdgen", "--check"]),
    types("images", "images", "images/build.py", "images/lock.py", "images/with_cluster.py"),
    Check(
        "types of the benches",
        [str(BIN / "mypy"), "--strict", "--cache-dir=.mypy_cache/benches", *BENCHES],
    ),
    types("the suite", "tests", *(f"tests/{name}.py" for name in SUITE)),
    types("the demo", "demo", "demo/run.py"),
    types("the house", "tests/house", "tests/house/check.py"),
    types("the installer", "manifests", "manifests/install.py"),
    types("the cluster", "tests/cluster", "tests/cluster/up.py", "tests/cluster/status.py"),
)


def run(check: Check) -> bool:
    began = time.monotonic()
    environment = dict(os.environ)
    if check.path is not None:
        environment["MYPYPATH"] = check.path
    done = subprocess.run(
        check.command, cwd=ROOT, env=environment, text=True, capture_output=True, check=False
    )
    passed = done.returncode == 0
    shown = "" if passed else f"{done.stdout}{done.stderr}"
    seconds = time.monotonic() - began
    sys.stdout.write(f"{'ok    ' if passed else 'FAILED'} {check.name} ({seconds:.1f} s)\n{shown}")
    sys.stdout.flush()
    return passed


def main() -> int:
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        passed = list(pool.map(run, CHECKS))
    sys.stdout.write(f"{sum(passed)} of {len(passed)} checks passed\n")
    return 0 if all(passed) else 1


if __name__ == "__main__":
    sys.exit(main())
