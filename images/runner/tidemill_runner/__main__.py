"""`python -m tidemill_runner VERB`: the entry point of the runner's image."""

import os
import sys
from datetime import UTC, datetime

from tidemill_runner import stopping, threads
from tidemill_runner.exits import Exit
from tidemill_runner.paths import Paths

VERBS = (
    *("ingest", "collect", "conclude"),
    *("train", "provide", "follow", "judge"),
    "materialise",
)
# Those whose work several pods may share; of others the number is no word of Kubernetes'.
SHARED = ("ingest", "collect", "conclude", "train", "provide", "follow", "judge")
USAGE = f"usage: python -m tidemill_runner {'|'.join(VERBS)}"


def main(arguments: list[str]) -> Exit:
    if len(arguments) != 1 or arguments[0] not in VERBS:
        sys.stderr.write(f"{USAGE}\n")
        return Exit.BUG
    threads.apply(os.environ)
    # Imported only now: numeric libraries read the number of threads when they are imported.
    from tidemill_runner.run import Run  # noqa: PLC0415

    # Which of the pods of an Indexed Job this is: Kubernetes says so.
    worker = int(os.environ.get("JOB_COMPLETION_INDEX") or 0) if arguments[0] in SHARED else 0
    run = Run(arguments[0], Paths.from_environ(os.environ), lambda: datetime.now(UTC), worker)
    return run()


if __name__ == "__main__":
    stopping.arm()
    sys.exit(main(sys.argv[1:]))
