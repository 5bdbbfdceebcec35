"""Bytes of bodies that are held at a time: beyond the bound they are refused, whosever they are.

A body counts from its first byte until its rows are made, as it comes and as it is when it is
decompressed. Who only announces a body holds nothing.
"""

import asyncio
import threading
from collections.abc import Callable
from typing import TypeVar

from tidemill_server.protocol.errors import ProtocolError

_T = TypeVar("_T")


class Budget:
    """What all requests may hold together."""

    def __init__(self, most: int) -> None:
        self.most = most
        self.held = 0
        self._lock = threading.Lock()  # bodies are decompressed in threads

    def share(self) -> "Share":
        """The part of one request, which is nothing yet: `with budget.share() as share:`."""
        return Share(self)

    def check(self, size: int) -> None:
        """Refuse what there is no room for; raises ProtocolError."""
        if self.held + size > self.most:
            raise ProtocolError(
                429,
                f"bodies of more than {self.most} bytes are being received already",
                retry_after=1,
                close=True,
            )

    def change(self, size: int) -> None:
        """Hold more, or less; raises ProtocolError where that is too much."""
        with self._lock:
            if size > 0:
                self.check(size)
            self.held += size


class Share:
    """What one request holds, given back at the latest when it ends."""

    def __init__(self, budget: Budget) -> None:
        self._budget = budget
        self._lock = threading.Lock()
        self._held: int | None = 0

    def __enter__(self) -> "Share":
        return self

    def __exit__(self, *_: object) -> None:
        self.free()

    def take(self, size: int) -> None:
        """Hold so much more; raises ProtocolError, also where the request has ended."""
        with self._lock:
            if self._held is None:
                raise ProtocolError(400, "the request has ended")
            self._budget.change(size)
            self._held += size

    def free(self) -> None:
        """Hold nothing any more."""
        self._budget.change(-self._end())

    async def in_thread(self, work: Callable[[], _T]) -> _T:
        """Do it in a thread, which ends when it ends: until then it holds what its request held.

        A client that leaves would else make room for another, whose thread is one more.
        """
        done = asyncio.get_running_loop().run_in_executor(None, work)
        try:
            return await asyncio.shield(done)
        except asyncio.CancelledError:
            held = self._end()
            done.add_done_callback(lambda _: self._budget.change(-held))
            raise
        finally:
            # It holds what the work raised, which holds this frame: all that was read would stay.
            del done

    def _end(self) -> int:
        """How much was held; from now on no more is."""
        with self._lock:
            held, self._held = self._held, None
        return held or 0
