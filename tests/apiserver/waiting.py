"""Waiting for a condition of the world, never for time to pass."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

T = TypeVar("T")


async def eventually(ask: Callable[[], Awaitable[T]], within: float = 30.0) -> T:
    """Ask again and again until the answer is true; fail when it never is."""
    async with asyncio.timeout(within):
        while not (answer := await ask()):  # noqa: ASYNC110 - the world has no Event
            await asyncio.sleep(0.05)
    return answer
