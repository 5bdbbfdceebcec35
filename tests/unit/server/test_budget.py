"""What all bodies may hold together: a thread holds its part until it ends."""

import asyncio
import threading

import pytest

from tidemill_server.limits.budget import Budget
from tidemill_server.protocol.errors import ProtocolError


async def test_a_thread_whose_client_has_left_holds_on_until_it_ends() -> None:
    budget, begun, go_on = Budget(100), asyncio.Event(), threading.Event()
    loop = asyncio.get_running_loop()
    late: list[Exception] = []

    async def request() -> None:
        with budget.share() as share:
            share.take(60)

            def read() -> None:
                loop.call_soon_threadsafe(begun.set)
                go_on.wait()
                try:
                    share.take(1)
                except ProtocolError as error:
                    late.append(error)

            await share.in_thread(read)

    task = asyncio.create_task(request())
    await begun.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert budget.held == 60
    with pytest.raises(ProtocolError):
        budget.check(41)
    go_on.set()
    while budget.held:  # noqa: ASYNC110 - the thread tells nobody
        await asyncio.sleep(0)
    assert [str(error) for error in late] == ["the request has ended"]


async def test_what_a_thread_gives_or_raises_is_what_its_request_gets() -> None:
    budget = Budget(100)
    with budget.share() as share:
        share.take(60)
        assert await share.in_thread(lambda: 7) == 7
        with pytest.raises(ZeroDivisionError):
            await share.in_thread(lambda: 1 // 0)
        assert budget.held == 60
    assert budget.held == 0
