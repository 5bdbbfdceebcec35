"""Dying on purpose, for tests: right after the n-th successful write to the API server.

Run for every n, it shows that the operator can be killed between any two of its writes and the next
process brings the same end. Off in production; the exit is injected.
"""

from collections.abc import Callable
from dataclasses import dataclass

EXIT_CODE = 77


@dataclass(slots=True)
class DieAtWrite:
    """Counts writes; ends the process at number `at`, never when `at` is 0."""

    at: int
    exit: Callable[[int], object]
    writes: int = 0

    def __call__(self) -> None:
        """See one write."""
        self.writes += 1
        if self.writes == self.at:
            self.exit(EXIT_CODE)
