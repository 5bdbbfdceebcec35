"""Ingests begin beside each other, and never beside a deletion."""

import asyncio

import pytest

from tidemill.dataset import gate
from tidemill.dataset.gate import Gate
from tidemill.engine.errors import Retry


async def turns() -> None:
    for _ in range(10):
        await asyncio.sleep(0)


async def test_ingests_begin_side_by_side() -> None:
    door = Gate()
    async with door.ingest("a"), asyncio.timeout(1), door.ingest("a"):
        pass


async def test_a_deletion_waits_for_what_begins_and_holds_back_what_comes() -> None:
    door, seen = Gate(), list[str]()

    async def delete() -> None:
        async with door.deletion("a"):
            seen.append("deleting")
            await turns()
            seen.append("deleted")

    async def ingest() -> None:
        async with door.ingest("a"):
            seen.append("ingest")

    async with door.ingest("a"):
        first = asyncio.create_task(delete())
        await turns()
        second = asyncio.create_task(ingest())
        await turns()
        assert seen == []
        async with door.ingest("another"):
            seen.append("elsewhere")
    await asyncio.gather(first, second)
    assert seen == ["elsewhere", "deleting", "deleted", "ingest"]


async def test_two_deletions_of_a_namespace_follow_each_other() -> None:
    door, now, most = Gate(), 0, 0

    async def delete() -> None:
        nonlocal now, most
        async with door.deletion("a"):
            now, most = now + 1, max(most, now + 1)
            await turns()
            now -= 1

    await asyncio.gather(*(delete() for _ in range(5)))
    assert most == 1


@pytest.mark.parametrize("fault", [RuntimeError, asyncio.CancelledError])
async def test_after_a_deletion_that_failed_ingests_wait(
    fault: type[BaseException], monkeypatch: pytest.MonkeyPatch
) -> None:
    door = Gate()
    with pytest.raises(fault):
        async with door.deletion("a"):
            raise fault
    with pytest.raises(Retry, match="retention were being removed") as told:
        async with door.ingest("a"):
            pytest.fail("it began")
    assert told.value.after is not None
    assert gate.CLOSED_SECONDS - 5 < told.value.after <= gate.CLOSED_SECONDS
    async with door.ingest("b"), door.deletion("a"):
        pass  # neither others nor the next deletion
    monkeypatch.setattr(gate, "CLOSED_SECONDS", 0.0)
    with pytest.raises(fault):
        async with door.deletion("a"):
            raise fault
    async with door.ingest("a"):
        pass


async def test_who_gives_up_waiting_leaves_the_gate_as_it_was() -> None:
    door = Gate()
    async with door.ingest("a"):
        waiting = asyncio.create_task(_delete(door))
        await turns()
        waiting.cancel()
        await asyncio.wait({waiting})
    async with asyncio.timeout(1), door.ingest("a"):
        pass
    async with asyncio.timeout(1), door.deletion("a"):
        pass


async def _delete(door: Gate) -> None:
    async with door.deletion("a"):
        pytest.fail("beside an ingest")
