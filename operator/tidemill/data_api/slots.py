"""How many requests are served at the same time, in all and per namespace.

Each holds a piece of an object in memory. No namespace can take all of them, and who finds none
free is told to come back instead of waiting in line.
"""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from tidemill.data_api.refusal import Refusal


@dataclass(slots=True)
class Slots:
    """Counts those being served."""

    total: int = 12
    per_namespace: int = 4
    _taken: Counter[str] = field(default_factory=Counter)

    @contextmanager
    def taken(self, namespace: str) -> Iterator[None]:
        """Hold a slot; Refusal where none is free."""
        whole = self._taken.total() >= self.total
        if whole or self._taken[namespace] >= self.per_namespace:
            whose = "in all" if whole else f"for namespace {namespace}"
            raise Refusal(
                429, f"too many downloads at the same time {whose}: try again", retry_after=2
            )
        self._taken[namespace] += 1
        try:
            yield
        finally:
            self._taken[namespace] -= 1
            if not self._taken[namespace]:
                del self._taken[namespace]
