"""Keeps the beginning of ingests and the deletion of content apart, namespace by namespace.

Any number of ingests may be begun at once, but none while something is being deleted, and nothing
is deleted while one is being begun. After a deletion that failed the gate stays closed to ingests
for longer than a request may take: the store may still carry out what it did not answer.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from tidemill.engine.errors import Retry

# The store's client gives a request 60 s and its retries 20 s (`store.objects.Patience`).
CLOSED_SECONDS = 120.0


@dataclass(slots=True)
class _Door:
    """The gate of one namespace; `opens` is a time of the event loop's clock."""

    changed: asyncio.Condition = field(default_factory=asyncio.Condition)
    ingests: int = 0
    deleting: bool = False
    opens: float = 0.0


@dataclass(slots=True)
class Gate:
    """One for all reconcilers of a process; only the process that leads begins or deletes."""

    _doors: dict[str, _Door] = field(default_factory=dict)

    @asynccontextmanager
    async def ingest(self, namespace: str) -> AsyncIterator[None]:
        """Begin an ingest; raises Retry where a deletion has failed a moment ago."""
        door = self._door(namespace)
        async with door.changed:
            await door.changed.wait_for(lambda: not door.deleting)
            left = door.opens - asyncio.get_running_loop().time()
            if left > 0:
                message = (
                    "versions beyond their retention were being removed and the store failed: "
                    f"the ingest begins in {left:.0f} s, when nothing of it can be under way"
                )
                raise Retry(message, after=left)
            door.ingests += 1
        try:
            yield
        finally:
            async with door.changed:
                door.ingests -= 1
                door.changed.notify_all()

    @asynccontextmanager
    async def deletion(self, namespace: str) -> AsyncIterator[None]:
        """Delete; waits for ingests that are just being begun."""
        door = self._door(namespace)
        async with door.changed:
            await door.changed.wait_for(lambda: not door.deleting)
            door.deleting = True
        try:
            async with door.changed:
                await door.changed.wait_for(lambda: door.ingests == 0)
            try:
                yield
            except BaseException:
                door.opens = asyncio.get_running_loop().time() + CLOSED_SECONDS
                raise
        finally:
            async with door.changed:
                door.deleting = False
                door.changed.notify_all()

    def _door(self, namespace: str) -> _Door:
        return self._doors.setdefault(namespace, _Door())
