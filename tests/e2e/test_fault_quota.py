"""Two hundred runs where ten pods may be: all end. Where none may be, the run says why it waits.

Pods run on fake nodes and end at once; what is asked is what the operator does meanwhile.
"""

import asyncio
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass, field

import pytest
from tests.bench.burst import NODES, fake_nodes
from tests.bench.fleet import DATASET, TEMPLATE, Fleet, fleet
from tests.bench.place import Place, installed
from tests.e2e import specs

from tidemill.kube.resources import PODS, TRAINING_RUNS

pytestmark = pytest.mark.disruptive
RUNS, QUOTA = 200, 10
SECONDS = 400.0
ASK_SECONDS = 1.0


@dataclass
class Seen:
    """What was seen from the first run to the last."""

    most: int = 0  # pods that had not ended, at once
    waited: dict[str, str] = field(default_factory=dict)  # what a run said when it had no pod
    ended: int = 0


@pytest.fixture(scope="module")
def seen() -> Seen:
    with installed() as place:
        fake_nodes(NODES)
        try:
            return asyncio.run(crowd(place))
        finally:
            fake_nodes(0)


async def crowd(place: Place) -> Seen:
    seen, namespace = Seen(), f"quota-{secrets.token_hex(3)}"
    async with fleet(place, namespace) as runs:
        await allow(place, namespace, 0)
        # One alone: Kubernetes tries again after ever longer pauses, and the others need not wait.
        spec = specs.training_run(DATASET, template=TEMPLATE)
        await runs.client.create(TRAINING_RUNS, runs.body("TrainingRun", "first", spec))
        await until(runs, seen, lambda: bool(seen.waited))
        await allow(place, namespace, QUOTA)
        await runs.launch(RUNS - 1)
        await until(runs, seen, lambda: seen.ended == RUNS)
    return seen


async def allow(place: Place, namespace: str, pods: int) -> None:
    body = {
        "apiVersion": "v1",
        "kind": "ResourceQuota",
        "metadata": {"name": "pods", "namespace": namespace},
        "spec": {"hard": {"pods": str(pods)}},
    }
    await asyncio.to_thread(place.kubectl.apply, body)


async def until(runs: Fleet, seen: Seen, true: Callable[[], bool]) -> None:
    end = time.monotonic() + SECONDS
    while not true() and time.monotonic() < end:
        await look(runs, seen)
        await asyncio.sleep(ASK_SECONDS)


async def look(runs: Fleet, seen: Seen) -> None:
    pods = await runs.client.list(PODS, runs.namespace)
    alive = [pod for pod in pods if pod["status"].get("phase") not in ("Succeeded", "Failed")]
    seen.most = max(seen.most, len(alive))
    ended = 0
    for run in await runs.runs():
        for condition in run.get("status", {}).get("conditions", ()):
            if condition["reason"] == "PodNotCreated":
                seen.waited[run["metadata"]["name"]] = condition["message"]
            ended += (condition["type"], condition["status"]) == ("Succeeded", "True")
    seen.ended = ended


def test_all_end(seen: Seen) -> None:
    assert seen.ended == RUNS


def test_the_quota_was_felt_and_kept(seen: Seen) -> None:
    # One that has just ended is listed for a moment as one that has not.
    assert 0 < seen.most <= QUOTA + 2


def test_those_that_wait_say_why(seen: Seen) -> None:
    assert seen.waited
    for message in seen.waited.values():
        assert "a quota or a policy may forbid it" in message
