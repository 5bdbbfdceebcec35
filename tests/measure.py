"""Runs the measurements of tests/bench one after the other; each shows a table and writes JSON.

A measurement is a program there that takes `--json FILE` and `--quick`. None of them is a timed
test: it fails when it cannot measure, never because a machine is slow. What fails beside the other
stages of a test run is tried once more, and why it failed is told in any case.
"""

import argparse
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
RESULTS = ROOT / "build" / "bench"
LONGEST = 200  # characters of what a program said in the end
AGAIN = "measured at the second try:"  # tests/suite/counts.py looks for it


OF_THE_CLUSTER = ("from tests.bench.place import", "from tests.e2e")


def measurements() -> dict[str, bool]:
    """The names of all, each with whether it is of the installed cluster."""
    files = sorted((ROOT / "tests" / "bench").glob("*.py"))
    texts = {path.stem: path.read_text() for path in files}
    return {
        name: any(line in text for line in OF_THE_CLUSTER)
        for name, text in texts.items()
        if '__name__ == "__main__"' in text
    }


def failure(command: Sequence[str]) -> str:
    """Run one; gives the last line that it said when it failed, nothing when it did not."""
    last = ""
    with subprocess.Popen(command, cwd=ROOT, stderr=subprocess.PIPE, text=True) as process:
        for line in process.stderr or ():
            sys.stderr.write(line)
            last = line.strip() or last
    return (last[:LONGEST] or f"exit code {process.returncode}") if process.returncode else ""


def main() -> int:
    every = measurements()
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of: {', '.join(every)}")
    parser.add_argument(
        "--quick", action="store_true", help="small ones: to see that they still work"
    )
    parser.add_argument(
        "--cluster", action=argparse.BooleanOptionalAction, help="of all only those that need it"
    )
    options = parser.parse_args()
    wanted = [one for one, of in every.items() if options.cluster in (None, of)]
    names = options.names or wanted
    quick = ["--quick"] if options.quick else []
    RESULTS.mkdir(parents=True, exist_ok=True)
    failed: list[str] = []
    again: list[str] = []
    for name in names:
        sys.stdout.write(f"\n== {name}\n")
        sys.stdout.flush()
        command = [sys.executable, "-m", f"tests.bench.{name}", *quick]
        result = ["--json", str(RESULTS / f"{name}.json")]
        if why := failure([*command, *result]):
            twice = failure([*command, *result])
            (failed if twice else again).append(f"{name} ({twice or why})")
    sys.stdout.write(f"\nresults: {RESULTS}\n")
    # In one line each, the last of which the summary of all stages repeats.
    if again:
        sys.stderr.write(f"{AGAIN} {', '.join(again)}\n")
    if failed:
        sys.stderr.write(f"could not measure: {', '.join(failed)}\n")
    return 1 if failed or not names else 0


if __name__ == "__main__":
    sys.exit(main())
