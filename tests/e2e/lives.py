"""The operator again and again: when one process of it ends, the next begins at once.

    python -m tests.e2e.lives RECORD STEP [flags of the operator]

Each life is a process of its own, forked from this one, which has only imported the code: so a life
begins in milliseconds, and nothing of the one before is left. The exit code of each is a line of
RECORD. Life by life, `--die-at-write` grows by STEP: with 0, each ends after as many writes as the
first. A signal to end ends the present life in order, and no other follows.
"""

import asyncio
import contextlib
import os
import signal
import sys
from dataclasses import dataclass, replace
from pathlib import Path
from types import FrameType
from typing import NoReturn

from tidemill import __main__ as operator
from tidemill.engine import logs
from tidemill.engine.faults import EXIT_CODE
from tidemill.settings import Settings

BROKEN = 70


@dataclass
class Lives:
    """The present life, and whether another one shall follow."""

    record: Path
    step: int
    settings: Settings
    ended: bool = False
    pid: int = 0

    def run(self) -> None:
        """Live until asked to end."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._end)
        while not self.ended:
            self.pid = os.fork()
            if self.pid == 0:
                self._live()
            if self.ended:  # the signal came before the pid was known
                self._end()
            _, status = os.waitpid(self.pid, 0)
            code = os.waitstatus_to_exitcode(status)
            with self.record.open("a") as record:
                record.write(f"{code}\n")
            if code == EXIT_CODE and self.step:
                at = self.settings.die_at_write + self.step
                self.settings = replace(self.settings, die_at_write=at)

    def _end(self, *_: int | FrameType | None) -> None:
        self.ended = True
        if self.pid:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, signal.SIGTERM)

    def _live(self) -> NoReturn:
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, signal.SIG_DFL)
        logs.configure(self.settings.log_level)
        try:
            os._exit(asyncio.run(operator.start(self.settings)))
        finally:
            os._exit(BROKEN)


def main() -> None:
    """Read the command line, then live."""
    record, step, *flags = sys.argv[1:]
    Lives(Path(record), int(step), Settings.parse(flags)).run()


if __name__ == "__main__":
    main()
