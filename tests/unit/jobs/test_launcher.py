"""Jobs that are edited, and the order in which a Job and its Secret go."""

import copy
from collections.abc import Callable
from typing import Any

import pytest
from tests.unit.children.fake_api import Killed
from tests.unit.children.world import NAMESPACE, World

from tidemill.jobs.launcher import Launcher
from tidemill.jobs.manifests import RunnerJob
from tidemill.jobs.progress import Tokens
from tidemill.jobs.view import view
from tidemill.kube.resources import JOBS, SECRETS
from tidemill.store.credentials import Policy

PARENT = {"metadata": {"namespace": NAMESPACE, "name": "r", "uid": "u0"}}
JOB = RunnerJob(
    kind="TrainingRun",
    name="r-1",
    verb="train",
    image="i",
    template=None,
    deadline_seconds=60,
    annotations={"tidemill.dev/spec-hash": "h"},
)


def launcher(world: World) -> Launcher:
    return Launcher(world.context(), world.platform, Tokens("s"))


async def started(world: World) -> dict[str, Any]:
    await launcher(world).start(PARENT, JOB, {"verb": "train"}, Policy("tidemill"))
    return world.api.one(JOBS)


EDITS: dict[str, Callable[[dict[str, Any]], Any]] = {
    "suspended": lambda job: job["spec"].update(suspend=True),
    "given more time": lambda job: job["spec"].update(activeDeadlineSeconds=9999),
    "a label removed": lambda job: job["metadata"]["labels"].popitem(),
    "forgets what was pinned": lambda job: job["metadata"]["annotations"].pop(
        "tidemill.dev/spec-hash"
    ),
    "no owner": lambda job: job["metadata"].pop("ownerReferences"),
}


@pytest.mark.parametrize("edit", EDITS.values(), ids=EDITS)
async def test_a_running_job_is_as_it_was(
    world: World, edit: Callable[[dict[str, Any]], Any]
) -> None:
    job = await started(world)
    wanted = copy.deepcopy(job)
    edit(job)
    assert await launcher(world).hold(PARENT, view(job), JOB)
    found = world.api.one(JOBS)
    assert found["spec"] == wanted["spec"]
    for mark in ("labels", "annotations", "ownerReferences"):
        assert found["metadata"][mark] == wanted["metadata"][mark]
    assert not await launcher(world).hold(PARENT, view(found), JOB)


async def test_what_others_note_on_a_job_stays(world: World) -> None:
    job = await started(world)
    job["metadata"]["annotations"]["example.com/note"] = "x"
    assert not await launcher(world).hold(PARENT, view(job), JOB)


async def test_killed_while_it_removes_a_job_it_leaves_no_secret(world: World) -> None:
    await started(world)
    world.api.die_at = len(world.api.writes) + 1
    with pytest.raises(Killed):
        await launcher(world).delete(PARENT, view(world.api.one(JOBS)))
    for job in world.api.all(JOBS):  # which is all that the next process can go by
        await launcher(world).delete(PARENT, view(job))
    assert (world.api.all(JOBS), world.api.all(SECRETS)) == ([], [])


async def test_a_secret_of_somebody_elses_outlives_a_job_of_its_name(world: World) -> None:
    await started(world)
    secret = world.api.one(SECRETS)
    secret["metadata"] |= {"labels": {}, "ownerReferences": []}
    await launcher(world).delete(PARENT, view(world.api.one(JOBS)))
    assert (world.api.all(JOBS), world.api.all(SECRETS)) == ([], [secret])


async def test_starting_twice_is_starting_once(world: World) -> None:
    await started(world)
    first = copy.deepcopy(world.api.one(SECRETS))
    await started(world)
    assert len(world.api.created) == 2
    assert world.api.one(SECRETS) == first
