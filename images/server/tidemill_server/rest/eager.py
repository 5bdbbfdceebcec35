"""How the work of one request begins."""

import asyncio
import sys
from collections.abc import Coroutine


def begin(loop: asyncio.AbstractEventLoop, work: Coroutine[None, None, None]) -> asyncio.Task[None]:
    """Begin at once where Python can: a turn of the loop is a tenth of a small model's answer."""
    if sys.version_info >= (3, 12):
        return asyncio.Task(work, loop=loop, eager_start=True)
    return loop.create_task(work)
