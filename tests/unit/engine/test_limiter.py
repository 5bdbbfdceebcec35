"""The token bucket, on a clock that does not wait."""

import asyncio

import pytest

from tidemill.engine.limiter import Limiter

pytestmark = pytest.mark.looptime


async def times_of(limiter: Limiter, calls: int) -> list[float]:
    loop = asyncio.get_running_loop()

    async def take() -> float:
        await limiter.take()
        return loop.time()

    return list(await asyncio.gather(*(take() for _ in range(calls))))


async def test_the_burst_passes_at_once_and_the_rest_at_the_rate() -> None:
    assert await times_of(Limiter(rate=2, burst=3), 7) == [0, 0, 0, 0.5, 1, 1.5, 2]


async def test_tokens_come_back_with_time_up_to_the_burst() -> None:
    limiter = Limiter(rate=2, burst=3)
    await times_of(limiter, 3)
    await asyncio.sleep(1)
    assert await times_of(limiter, 3) == [1, 1, 1.5]
    await asyncio.sleep(1000)
    assert await times_of(limiter, 4) == [1001.5, 1001.5, 1001.5, 1002]


async def test_one_that_is_cancelled_holds_nobody_up_for_long() -> None:
    limiter = Limiter(rate=1, burst=1)
    await limiter.take()
    task = asyncio.create_task(limiter.take())
    await asyncio.sleep(0)
    task.cancel()
    assert await times_of(limiter, 1) == [2]
