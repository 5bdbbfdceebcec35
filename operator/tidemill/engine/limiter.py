"""A token bucket: so many at once, so many per second after that.

It protects the API server from us: a thousand objects created at once become a stream of writes,
not a blow. Callers are served in the order in which they came.
"""

import asyncio
from dataclasses import dataclass


@dataclass(slots=True)
class Limiter:
    """`burst` tokens at once, `rate` more per second."""

    rate: float
    burst: float
    _tokens: float = 0.0
    _since: float | None = None

    async def take(self) -> None:
        """Take a token, waiting for it when there is none."""
        loop = asyncio.get_running_loop()
        now = loop.time()
        if self._since is None:
            self._tokens = self.burst
        else:
            self._tokens = min(self.burst, self._tokens + (now - self._since) * self.rate)
        self._since = now
        self._tokens -= 1  # below zero: a place in the line
        if self._tokens < 0:
            await asyncio.sleep(-self._tokens / self.rate)
