"""The Lease's rules in time; what the API server does is played by one object with versions."""

import asyncio
import copy
from datetime import UTC, datetime
from typing import Any, cast

import pytest

from tidemill.engine.lease import Lease, LeaseSettings
from tidemill.kube.client import Client
from tidemill.kube.errors import Conflict, Unavailable
from tidemill.kube.resources import Resource

pytestmark = pytest.mark.looptime
Body = dict[str, Any]


class OneLease:
    """An API server that knows one Lease; it can be made to stop answering."""

    def __init__(self) -> None:
        self.live: Body | None = None
        self.version = 0
        self.down = False
        self.hanging = False

    async def get(self, *_: object) -> Body | None:
        await self._answer()
        return copy.deepcopy(self.live)

    async def create(self, _: Resource, body: Body, *, urgent: bool) -> Body:
        await self._answer()
        if self.live is not None:
            raise Conflict("taken", status=409)
        return self._store(body, urgent)

    async def replace(self, _: Resource, body: Body, *, urgent: bool) -> Body:
        await self._answer()
        if self.live is None or body["metadata"]["resourceVersion"] != str(self.version):
            raise Conflict("too old", status=409)
        return self._store(body, urgent)

    async def _answer(self) -> None:
        if self.hanging:
            await asyncio.sleep(1000)
        if self.down:
            raise Unavailable("down")

    def _store(self, body: Body, urgent: bool) -> Body:
        assert urgent, "the Lease passes by the limiter"
        self.version += 1
        self.live = copy.deepcopy(body)
        self.live["metadata"]["resourceVersion"] = str(self.version)
        return copy.deepcopy(self.live)

    @property
    def holder(self) -> str:
        return self.live["spec"]["holderIdentity"] if self.live else ""


class Candidate:
    """One process that wants to lead."""

    def __init__(self, api: OneLease, identity: str) -> None:
        settings = LeaseSettings(namespace="n", name="l", identity=identity)
        self.exits: list[tuple[float, int]] = []
        client = cast("Client", api)
        self.lease = Lease(client, settings, self._exit, lambda: datetime.now(UTC))

    def _exit(self, code: int) -> None:
        self.exits.append((now(), code))


def now() -> float:
    return asyncio.get_running_loop().time()


@pytest.fixture
def api() -> OneLease:
    return OneLease()


async def test_the_first_leads_and_the_second_waits_while_it_is_renewed(api: OneLease) -> None:
    first, second = Candidate(api, "one"), Candidate(api, "two")
    await first.lease.acquire()
    keep = asyncio.create_task(first.lease.keep())
    waiting = asyncio.create_task(second.lease.acquire())
    await asyncio.sleep(100)
    assert (api.holder, waiting.done(), first.exits) == ("one", False, [])
    keep.cancel()
    waiting.cancel()


async def test_a_dead_leader_is_followed_after_the_duration(api: OneLease) -> None:
    first, second = Candidate(api, "one"), Candidate(api, "two")
    await first.lease.acquire()
    await asyncio.sleep(7)
    begun = now()
    await second.lease.acquire()
    assert api.holder == "two"
    assert 15 <= now() - begun <= 17, "counted from when it was first seen, on our own clock"
    assert api.live is not None
    assert api.live["spec"]["leaseTransitions"] == 2


async def test_a_released_lease_is_taken_at_the_next_try(api: OneLease) -> None:
    first, second = Candidate(api, "one"), Candidate(api, "two")
    await first.lease.acquire()
    waiting = asyncio.create_task(second.lease.acquire())
    await asyncio.sleep(5)
    await first.lease.release()
    begun = now()
    await waiting
    assert (api.holder, now() - begun <= 2) == ("two", True)


async def test_the_same_identity_takes_its_lease_back_at_once(api: OneLease) -> None:
    await Candidate(api, "one").lease.acquire()
    await Candidate(api, "one").lease.acquire()
    assert now() == 0


@pytest.mark.parametrize("fault", ["down", "hanging"])
async def test_a_leader_that_cannot_renew_ends_before_another_can_lead(
    api: OneLease, fault: str
) -> None:
    leader = Candidate(api, "one")
    await leader.lease.acquire()
    keep = asyncio.create_task(leader.lease.keep())
    await asyncio.sleep(9)
    setattr(api, fault, True)
    await keep
    ((when, code),) = leader.exits
    assert code == 1
    assert 8 + 10 <= when < 8 + 15, "the last renewal was at 8"


async def test_a_short_outage_ends_nobody(api: OneLease) -> None:
    leader = Candidate(api, "one")
    await leader.lease.acquire()
    keep = asyncio.create_task(leader.lease.keep())
    await asyncio.sleep(9)
    api.down = True
    await asyncio.sleep(8)
    api.down = False
    await asyncio.sleep(60)
    assert (leader.exits, api.holder) == ([], "one")
    keep.cancel()


async def test_a_leader_that_sees_another_in_its_lease_ends_at_once(api: OneLease) -> None:
    leader = Candidate(api, "one")
    await leader.lease.acquire()
    keep = asyncio.create_task(leader.lease.keep())
    await asyncio.sleep(9)
    assert api.live is not None
    api.live["spec"]["holderIdentity"] = "two"
    await keep
    assert leader.exits == [(10, 1)]


async def test_of_two_that_race_for_a_free_lease_one_leads(api: OneLease) -> None:
    candidates = [Candidate(api, str(number)) for number in range(5)]
    tasks = [asyncio.create_task(candidate.lease.acquire()) for candidate in candidates]
    await asyncio.sleep(1)
    assert sum(task.done() for task in tasks) == 1
    for task in tasks:
        task.cancel()


async def test_release_leaves_a_lease_that_is_not_ours(api: OneLease) -> None:
    await Candidate(api, "one").lease.acquire()
    await Candidate(api, "two").lease.release()
    assert api.holder == "one"


async def test_release_survives_an_outage(api: OneLease) -> None:
    leader = Candidate(api, "one")
    await leader.lease.acquire()
    api.down = True
    await leader.lease.release()
