"""The first loading and asking of a model that is not ours: in a process of its own, bounded.

The libraries do not prove what they read: a malformed file ends the process. So does one that asks
for more memory than there is. `python -m tidemill_runner.imported.trial FILE KIND TASK` is that
process; it answers with one line of JSON.
"""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

from tidemill.store import loading
from tidemill_runner.failures import Failure
from tidemill_runner.imported.kinds import ModelFile

SECONDS = 120.0
MIB = 1024 * 1024


def prove(file: ModelFile, task: str) -> None:
    """Return when the model could be loaded; raises Failure."""
    seconds = SECONDS
    memory = loading.budget_bytes(0)
    command = [sys.executable, "-m", __name__, str(file.path), file.kind, task]
    # As it is found here, also where nothing is installed.
    found = os.pathsep.join(filter(None, sys.path))
    environment = {**os.environ, "PYTHONPATH": found, "OMP_NUM_THREADS": "1"}
    order = {"memory": memory, "seconds": seconds, "called": file.called}
    try:
        done = subprocess.run(
            command,
            input=json.dumps(order),
            capture_output=True,
            text=True,
            timeout=seconds,
            check=False,
            env=environment,
        )
    except subprocess.TimeoutExpired:
        message = f"{file.called} was not loaded within {seconds:g} s"
        raise Failure("ModelUnloadable", message) from None
    lines = done.stdout.splitlines()
    answer = _answer(lines[-1]) if lines and done.returncode == 0 else None
    if answer is None:
        code = done.returncode
        cause = signal.Signals(-code).name if code < 0 else f"exit code {code}"
        raise Failure(
            "ModelUnloadable",
            f"{file.called} ended the process that loaded and asked it first ({cause}, memory "
            f"limit {memory // MIB} MiB): it is malformed or needs more memory",
        )
    if answer:
        raise Failure(answer["reason"], answer["message"])


def _answer(line: str) -> dict[str, str] | None:
    try:
        found = json.loads(line)
    except ValueError:
        return None
    return found if isinstance(found, dict) else None


def main(path: str, kind: str, task: str) -> int:
    """Load the file within the bounds that standard input gives; the exit code."""
    order = json.load(sys.stdin)
    # Imported before the bounds are set: they are of what the model takes.
    from tidemill_runner.imported import asking, model  # noqa: PLC0415

    if kind != "Skops":
        _import(kind)
    loading.limit(order["memory"], order["seconds"])
    said: dict[str, str] = {}
    try:
        loaded = model.load(ModelFile(Path(path), kind, order["called"]), task)
        asking.ask(loaded, model.width(loaded))
    except Failure as failure:
        said = {"reason": failure.reason, "message": failure.message}
    except MemoryError:
        message = f"{order['called']} needs more memory than the container has left for it"
        said = {"reason": "ModelUnloadable", "message": message}
    sys.stdout.write("\n" + json.dumps(said))
    sys.stdout.flush()
    return 0


def _import(kind: str) -> None:
    """Import the library where it is there; loading says it where it is not."""
    import importlib.util  # noqa: PLC0415

    library = "onnxruntime" if kind == "ONNX" else kind.lower()
    if importlib.util.find_spec(library):
        importlib.import_module(library)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
