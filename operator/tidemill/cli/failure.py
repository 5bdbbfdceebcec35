"""How a command ends when it does not end well: one line, and a code that programs can tell."""

from enum import IntEnum
from typing import IO, Any

import click

from tidemill.cli.words import plain


class Exit(IntEnum):
    """Documented in docs/kubectl.md: codes are added, never changed."""

    OK = 0
    REFUSED = 1  # not there, or not as it should be
    USAGE = 2
    FORBIDDEN = 3
    UNREACHABLE = 4


class Failure(click.ClickException):
    """Told in one line on standard error; nothing that a server says reaches the terminal raw."""

    def __init__(self, code: Exit, message: str) -> None:
        """Take the code, and the way out within the message."""
        super().__init__(plain(message))
        self.code = int(code)

    def show(self, file: IO[Any] | None = None) -> None:
        """Write it as kubectl writes its errors."""
        click.echo(f"error: {self.message}", file=file, err=file is None)
