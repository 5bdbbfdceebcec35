"""The resync, on a clock that does not wait."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from random import Random

import pytest

from tidemill.engine.errors import Retry
from tidemill.engine.key import Key
from tidemill.engine.resync import Resync

pytestmark = pytest.mark.looptime
KEYS = [Key("Dataset", "default", str(number)) for number in range(1000)]


async def every_key() -> AsyncIterator[Key]:
    for key in KEYS:
        yield key


async def broken() -> AsyncIterator[Key]:
    yield KEYS[0]
    raise Retry("the API server sleeps")


async def test_every_key_comes_once_a_round_and_rounds_are_spread() -> None:
    added: list[tuple[float, Key]] = []
    loop = asyncio.get_running_loop()

    def add(key: Key, after: float) -> None:
        added.append((loop.time() + after, key))

    task = asyncio.create_task(Resync((every_key,), add, 600, Random(3)).run())
    await asyncio.sleep(539)
    assert added == [], "the first round waits: everything is listed at start"
    await asyncio.sleep(122)
    assert Counter(key for _, key in added) == Counter(KEYS)
    times = sorted(when for when, _ in added)
    per_minute = Counter(int((when - times[0]) // 60) for when in times)
    assert set(per_minute) == set(range(5))
    assert max(per_minute.values()) < 260
    await asyncio.sleep(600)
    assert Counter(key for _, key in added) == Counter(KEYS * 2)
    task.cancel()


async def test_a_list_that_fails_ends_neither_the_round_nor_the_resync() -> None:
    added: list[Key] = []
    resync = Resync((broken, every_key), lambda key, _: added.append(key), 10, Random(3))
    task = asyncio.create_task(resync.run())
    await asyncio.sleep(22.5)
    assert len(added) == 2 * (1 + len(KEYS))
    task.cancel()
