"""The program `kubectl-tidemill`, which kubectl calls for `kubectl tidemill`: never a traceback."""

import os
import sys
from collections.abc import Sequence

import click

from tidemill.cli.failure import Exit, Failure
from tidemill.cli.program import root
from tidemill.cli.words import plain

PROGRAM = "kubectl tidemill"
INTERRUPTED = 130
# For whoever mends the plugin: the traceback in place of the line.
DEBUG = "TIDEMILL_DEBUG"


def run(arguments: Sequence[str] | None = None) -> int:
    """Do what is asked; gives the exit code."""
    try:
        given = list(sys.argv[1:] if arguments is None else arguments)
        code = root.main(args=given, prog_name=PROGRAM, standalone_mode=False)
        return code if isinstance(code, int) else int(Exit.OK)
    except Failure as failure:
        failure.show()
        return failure.code
    except click.ClickException as error:
        error.show()
        return int(Exit.USAGE)
    except (click.Abort, KeyboardInterrupt):
        return INTERRUPTED
    except BrokenPipeError:
        # Whoever read has had enough; what is left in the buffer must not fail at the end either.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return int(Exit.OK)
    except OSError as error:
        return _told(f"{error.strerror or error}: {error.filename or ''}".rstrip(": "))
    except Exception as error:
        if os.environ.get(DEBUG):
            raise
        return _told(f"{type(error).__name__}: {error} (a fault of the plugin: see {DEBUG}=1)")


def _told(message: str) -> int:
    click.echo(f"error: {plain(message)}", err=True)
    return int(Exit.REFUSED)


def main() -> None:
    """End the process with the code."""
    sys.exit(run())


if __name__ == "__main__":
    main()
