"""The same six questions about the same rows, asked of other libraries: speed and memory.

Run from the root of the tree: `python -m tests.bench.peers [--rows N] [--json FILE]`. Each library
reads the Parquet file and judges all rows in a process of its own; the median of three times after
one that does not count. Ours reads it likewise, each time. The others are installed into an
environment beside this tree's; what cannot be installed is told. `--quick` asks ours alone.
"""

import multiprocessing
import resource
import subprocess
import sys
import tempfile
from datetime import UTC, datetime
from pathlib import Path

from tests.bench import scan, table

from tidemill_runner.checks.parse import parse
from tidemill_runner.checks.run import run
from tidemill_runner.checks.verdict import judge
from tidemill_runner.staging import staged, viewed

QUICK_ROWS = 100_000
ENVIRONMENT = Path("build/peers")
REQUIREMENTS = ("pandera[polars,pandas]==0.35.0", "great_expectations==1.24.1", "pyarrow>=20")
PEERS = ("pandera-polars", "pandera-pandas", "great-expectations")
PROBE = Path(__file__).with_name("elsewhere") / "libraries.py"
OURS = "Tidemill"


def ours(path: Path, rows: int) -> table.Figures:
    """Ask our checks; in this process, which has done nothing else."""
    schema = scan.schema_of()
    plan, now = parse({"columns": scan.COLUMNS}, scan.CHECKS, schema), datetime.now(UTC)

    def ask() -> None:
        with viewed(staged([path]), path.parent, scan.LIMITS) as view:
            if judge(run(scan.asked(view), plan, now)).rejected:
                raise SystemExit("the table does not meet its checks")

    took = scan.seconds(ask)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return _row(took, rows, peak)


def _row(seconds: float, rows: int, peak: float) -> table.Figures:
    return {"seconds": seconds, "million rows/s": rows / seconds / 1e6, "peak RSS, MiB": peak}


def environment() -> Path | None:
    """Make the others' environment, once; None where it cannot be had."""
    python = ENVIRONMENT / "bin" / "python"
    done = ENVIRONMENT / "installed"
    wanted = "\n".join(REQUIREMENTS)
    if done.exists() and done.read_text() == wanted:
        return python
    for command in (
        [sys.executable, "-m", "venv", str(ENVIRONMENT)],
        [str(python), "-m", "pip", "install", "--quiet", *REQUIREMENTS],
    ):
        if subprocess.run(command, check=False).returncode:
            return None
    done.write_text(wanted)
    return python


def other(python: Path, name: str, path: Path, rows: int) -> table.Figures | str:
    """Ask another library."""
    command = [str(python), str(PROBE), name, str(path)]
    ended = subprocess.run(command, capture_output=True, text=True, check=False)
    if ended.returncode:
        return "does not run: " + ended.stderr.strip().rpartition("\n")[2][:200]
    seconds, failed, peak = ended.stdout.split()[-3:]
    if int(failed):
        return f"does not find the rows good: {failed}"
    return _row(float(seconds), rows, float(peak))


def main() -> int:
    """Measure and show."""
    options = table.options(__doc__, "rows", whole=5_000_000, quick=QUICK_ROWS)
    machine, rows = table.machine(), options.size
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "rows.parquet")
        # In a process of its own: the memory that this one takes is to be that of the checks.
        writer = multiprocessing.get_context("spawn").Process(target=scan.write, args=(path, rows))
        writer.start()
        writer.join()
        figures: table.Figures = {OURS: ours(path, rows)}
        python = environment() if rows > QUICK_ROWS else None
        if python is not None:
            figures |= {name: other(python, name, path, rows) for name in PEERS}
    table.show(f"{rows:,} rows of 13 columns, six checks", figures)
    table.write(options.json, {"machine": machine, "rows": rows, **figures})
    return 0


if __name__ == "__main__":
    sys.exit(main())
