"""Looking at everything again, now and then, whatever the events said.

It bounds the harm of any missed event. All objects are listed about once per period, page by page
and names only, and each is queued at a random time within half a period, so that a large cluster
causes a steady trickle and not a wave. A list that fails is tried again at the next round.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from random import Random, SystemRandom

from tidemill.engine.errors import Retry
from tidemill.engine.key import Key

ListKeys = Callable[[], AsyncIterator[Key]]
Add = Callable[[Key, float], None]

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Resync:
    """Lists the keys of each source and queues them, for ever."""

    sources: tuple[ListKeys, ...]
    add: Add
    period: float = 600.0
    random: Random = field(default_factory=SystemRandom)

    async def run(self) -> None:
        """Go round until cancelled. The first round waits: the watches list everything at start."""
        while True:
            await asyncio.sleep(self.period * self.random.uniform(0.9, 1.1))
            for source in self.sources:
                await self._queue_all(source)

    async def _queue_all(self, source: ListKeys) -> None:
        try:
            async for key in source():
                self.add(key, self.random.uniform(0.0, self.period / 2))
        except Retry as error:
            logger.warning("Resync left out until the next round: %s", error)
