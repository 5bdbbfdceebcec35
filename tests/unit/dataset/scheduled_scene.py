"""A Dataset that is looked at each hour, and a bucket that counts how often."""

import hashlib
from datetime import UTC, datetime
from typing import Any

import pytest
from tests.unit.children.world import FakeStore, World, once, summary, until_quiet
from tests.unit.dataset.scene import RESULT, SPEC, leave_result, process

from tidemill.dataset import observe
from tidemill.kube.resources import JOBS

KIND, NAME = "Dataset", "d"
HOURLY = {"schedule": "0 * * * *"}
START = datetime(2025, 1, 1, 0, 20, tzinfo=UTC)
ONE = datetime(2025, 1, 1, 1, tzinfo=UTC)
HALF_AN_HOUR = 1800


class Counted(FakeStore):
    """A bucket that knows how often it was listed."""

    listings = 0

    async def list(self, prefix: str) -> Any:
        self.listings += 1
        return await super().list(prefix)


def delivered(monkeypatch: pytest.MonkeyPatch) -> Counted:
    """Give the bucket that is read from now on, with one delivery in it."""
    bucket = Counted()
    bucket.objects["d/a.csv"] = b"a\n1\n"
    monkeypatch.setattr(observe, "ObjectStore", lambda _: bucket)
    return bucket


def note(job: dict[str, Any], name: str) -> str:
    return str(job["metadata"]["annotations"][f"tidemill.dev/{name}"])


def run_jobs(world: World, **changes: Any) -> None:
    """End each Job with the version that its listing makes, and the why it was told."""
    for job in world.api.all(JOBS):
        if "status" not in job:
            version = hashlib.sha256(note(job, "fingerprint").encode()).hexdigest()
            result = {**RESULT, "version": f"sha256:{version}", "why": note(job, "why"), **changes}
            leave_result(world, job, result)
            world.end_job(job, "Complete")


async def wake(world: World) -> Any:
    """Reconcile once, in a process that remembers nothing."""
    return await once(process(world)(), KIND, NAME)


async def quiet(world: World) -> None:
    await until_quiet(world, process(world)(), KIND, NAME)


async def look(world: World) -> None:
    """Let a look come to its end."""
    await quiet(world)
    world.wait(10)
    await quiet(world)
    run_jobs(world)
    await quiet(world)


async def ready(world: World, **changes: Any) -> dict[str, Any]:
    """Give a Dataset whose first look has ended, at 00:20:10."""
    world.now = START
    body = world.put(KIND, NAME, {**SPEC, "refresh": HOURLY, **changes})
    await look(world)
    assert summary(body)["status"] == "True"
    return body


def whys(body: dict[str, Any]) -> list[str]:
    return [version["why"] for version in body["status"]["versions"]]
