"""The program `kubectl_complete-tidemill`, which kubectl calls when TAB is pressed.

It is given the words so far, the last of them begun. It answers with one proposal a line, and at
the end with a number that says what the shell is to do besides: nothing, or look for files.
"""

import sys
from collections.abc import Iterator, Sequence

import click
from click.shell_completion import ShellComplete

from tidemill.cli.program import root
from tidemill.cli.words import plain

NO_FILES = 4
FILES = 0


def proposals(words: Sequence[str]) -> Iterator[str]:
    """Give the lines that kubectl reads."""
    *given, begun = words or [""]
    completion = ShellComplete(root, {}, "kubectl-tidemill", "_KUBECTL_TIDEMILL_COMPLETE")
    files = False
    for item in completion.get_completions(list(given), begun):
        if item.type in ("file", "dir"):
            files = True
            continue
        yield f"{item.value}\t{plain(item.help)}" if item.help else str(item.value)
    yield f":{FILES if files else NO_FILES}"


def main() -> None:
    """Write them; whatever fails, there is nothing to propose."""
    try:
        lines = list(proposals(sys.argv[1:]))
    except Exception:
        lines = [f":{NO_FILES}"]
    for line in lines:
        click.echo(line)


if __name__ == "__main__":
    main()
