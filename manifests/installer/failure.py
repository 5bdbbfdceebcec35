"""The one error that a person can act on; anything else is a defect and keeps its traceback."""

import sys
from collections.abc import Callable


class InstallError(Exception):
    """Says what went wrong and, where there is one, the way out."""


def run(main: Callable[[], int]) -> None:
    """Run a program; a failure becomes one line and an exit code."""
    try:
        sys.exit(main())
    except InstallError as error:
        sys.stderr.write(f"error: {error}\n")
        sys.exit(1)
    except KeyboardInterrupt:
        sys.stderr.write("interrupted; run it again to go on from here\n")
        sys.exit(130)
