"""Events and the Lease on a real API server."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tidemill.engine.lease import Lease, LeaseSettings
from tidemill.kube.client import Client
from tidemill.kube.connection import Connection
from tidemill.kube.events import Events
from tidemill.kube.resources import EVENTS, LEASES

Body = dict[str, Any]


class Clock:
    """A clock that a test moves."""

    def __init__(self) -> None:
        self.now = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now


def about(namespace: str) -> Body:
    metadata = {"namespace": namespace, "name": "power", "uid": "u1"}
    return {"apiVersion": "tidemill.dev/v1alpha1", "kind": "Dataset", "metadata": metadata}


async def test_the_same_words_raise_the_count(client: Client, namespace: str) -> None:
    clock = Clock()
    events = Events(client, clock)
    for _ in range(3):
        await events.emit(
            about(namespace), kind="Dataset", reason="Stalled", message="no bucket", warning=True
        )
        clock.now += timedelta(minutes=1)
    await events.emit(about(namespace), kind="Dataset", reason="Ready", message="there it is")
    found = {event["reason"]: event for event in await client.list(EVENTS, namespace)}
    assert found.keys() == {"Stalled", "Ready"}
    stalled = found["Stalled"]
    assert (stalled["type"], stalled["count"]) == ("Warning", 3)
    assert stalled["firstTimestamp"] == "2026-01-02T03:04:05Z"
    assert stalled["lastTimestamp"] == "2026-01-02T03:06:05Z"
    assert found["Ready"]["involvedObject"]["kind"] == "Dataset"


@pytest.mark.parametrize("fault", ["no namespace", "no API server"])
async def test_an_event_that_cannot_be_written_fails_nothing(
    connection: Connection, caplog: pytest.LogCaptureFixture, fault: str
) -> None:
    if fault == "no API server":
        connection.server = "https://127.0.0.1:1"
    async with Client(connection) as client:
        where = about("no-such-namespace")
        await Events(client, Clock()).emit(where, kind="Dataset", reason="Ready", message="m")
    assert "Event not written" in caplog.text


async def test_the_lease_is_taken_renewed_released(client: Client, namespace: str) -> None:
    clock = Clock()

    def lease(identity: str) -> Lease:
        settings = LeaseSettings(namespace=namespace, name="l", identity=identity)
        return Lease(client, settings, pytest.fail, clock)

    first, second = lease("one"), lease("two")
    await first.acquire()
    clock.now += timedelta(seconds=2)
    assert await first._try()
    assert not await second._try()
    spec = await spec_of(client, namespace)
    assert spec["holderIdentity"] == "one"
    assert spec["acquireTime"] == "2026-01-02T03:04:05.000000Z"
    assert spec["renewTime"] == "2026-01-02T03:04:07.000000Z"
    await first.release()
    await second.acquire()
    spec = await spec_of(client, namespace)
    assert (spec["holderIdentity"], spec["leaseTransitions"]) == ("two", 2)


async def spec_of(client: Client, namespace: str) -> Body:
    live = await client.get(LEASES, namespace, "l")
    assert live is not None
    spec: Body = live["spec"]
    return spec
