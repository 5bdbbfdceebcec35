"""The one error that a cluster command shows to its user: a sentence, not a traceback."""

import sys
from collections.abc import Callable


class ClusterError(Exception):
    """The command cannot go on; the message says why and what to do."""


def run(command: Callable[[], int]) -> None:
    """Ends the program with the command's exit code, or with the error's sentence and 1."""
    try:
        sys.exit(command())
    except ClusterError as error:
        sys.exit(f"error: {error}")
    except KeyboardInterrupt:
        sys.exit("interrupted; it is safe to run the same command again")
