"""Jobs that are edited, and the order in which a Job and its Secret go."""

import base64
import copy
import json
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from typing import Any

import pytest
from tests.unit.children.fake_api import Killed
from tests.unit.children.world import NAMESPACE, World

from tidemill.children.ownership import OUTSIDE
from tidemill.jobs.kueue import QUEUE_LABEL
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


def left_where_it_is(**spec: Any) -> dict[str, Any]:
    s3 = {"bucket": "b", "prefix": "p/", "credentialsRef": {"name": "reader"}}
    return {
        "apiVersion": "tidemill.dev/v1alpha1",
        "kind": "Dataset",
        "metadata": {"namespace": NAMESPACE, "name": "d"},
        "spec": {"source": {"s3": s3}, "pin": "None", **spec},
    }


@pytest.mark.parametrize(
    ("spec", "opened"), [({}, True), ({"pin": "Copy"}, False), ({"prepare": {"sql": "x"}}, False)]
)
async def test_what_was_not_copied_is_read_with_the_keys_of_its_source(
    world: World, spec: dict[str, Any], *, opened: bool
) -> None:
    world.api.put(left_where_it_is(**spec))
    version = {"name": "d", "version": "v", "manifest": "m"}
    document = {"join": {"tables": [{"dataset": version}]}}
    await launcher(world).start(PARENT, JOB, document, Policy("tidemill"))
    told = json.loads(base64.b64decode(world.api.one(SECRETS)["data"]["input.json"]))
    dataset = told["join"]["tables"][0]["dataset"]
    pod = world.api.one(JOBS)["spec"]["template"]["spec"]
    mounts = {m["mountPath"]: m["name"] for m in pod["containers"][0]["volumeMounts"]}
    volumes = {v["name"]: v for v in pod["volumes"]}
    assert ("keys" in dataset) is opened
    if opened:
        found = volumes[mounts[dataset["keys"]]]
        assert found["secret"]["secretName"] == "reader"
    assert "reader" not in json.dumps(told)
    assert ("keys" in version) is False


@pytest.mark.parametrize(
    ("changes", "outside"),
    [
        ({}, False),
        ({"endpoint": "https://s3.example.org"}, True),
        ({"endpoint": "https://s3.example.org", "copied": True}, False),
    ],
)
async def test_what_was_not_copied_is_read_outside_where_it_lies_there(
    world: World, changes: dict[str, Any], *, outside: bool
) -> None:
    dataset = left_where_it_is(pin="Copy" if changes.pop("copied", False) else "None")
    dataset["spec"]["source"]["s3"] |= changes
    world.api.put(dataset)
    document = {"dataset": {"name": "d", "version": "v", "manifest": "m"}}
    await launcher(world).start(PARENT, JOB, document, Policy("tidemill"))
    labels = world.api.one(JOBS)["spec"]["template"]["metadata"]["labels"]
    assert (OUTSIDE.items() <= labels.items()) is outside


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


QUEUED = replace(JOB, queue="ml")


async def test_a_job_in_a_queue_is_created_suspended_and_named_to_kueue(world: World) -> None:
    await launcher(world).start(PARENT, QUEUED, {"verb": "train"}, Policy("tidemill"))
    job = world.api.one(JOBS)
    assert job["spec"]["suspend"] is True
    assert job["metadata"]["labels"][QUEUE_LABEL] == "ml"
    # Kueue would hold back pods that name a queue themselves.
    assert QUEUE_LABEL not in job["spec"]["template"]["metadata"]["labels"]


def admitted(job: dict[str, Any]) -> None:
    """Do as Kueue does when it starts a Job."""
    job["spec"]["suspend"] = False
    template = job["spec"]["template"]
    template["metadata"]["labels"]["kueue.x-k8s.io/podset"] = "main"
    template["spec"]["nodeSelector"] = {"pool": "spot"}


@pytest.mark.parametrize("started_by_kueue", [True, False], ids=["admitted", "waiting"])
async def test_what_kueue_writes_into_a_job_stays(world: World, *, started_by_kueue: bool) -> None:
    await launcher(world).start(PARENT, QUEUED, {"verb": "train"}, Policy("tidemill"))
    job = world.api.one(JOBS)
    if started_by_kueue:
        admitted(job)
    before = copy.deepcopy(job)
    assert not await launcher(world).hold(PARENT, view(job), QUEUED)
    assert world.api.one(JOBS) == before


async def test_a_job_in_a_queue_keeps_its_deadline_and_its_queue(world: World) -> None:
    await launcher(world).start(PARENT, QUEUED, {"verb": "train"}, Policy("tidemill"))
    job = world.api.one(JOBS)
    admitted(job)
    job["spec"]["activeDeadlineSeconds"] = 9999
    del job["metadata"]["labels"][QUEUE_LABEL]
    assert await launcher(world).hold(PARENT, view(job), QUEUED)
    found = world.api.one(JOBS)
    assert found["spec"]["activeDeadlineSeconds"] == 60
    assert found["spec"]["suspend"] is False
    assert found["metadata"]["labels"][QUEUE_LABEL] == "ml"


async def test_keys_last_when_a_job_starts_late_in_their_life(world: World) -> None:
    """They are renewed when half of their life is over: what is left then covers the deadline."""
    long = replace(QUEUED, deadline_seconds=7200)
    await launcher(world).start(PARENT, long, {"verb": "train"}, Policy("tidemill"))
    for _ in range(40):
        await launcher(world).keep_secret(PARENT, long, {"verb": "train"}, Policy("tidemill"))
        notes = world.api.one(SECRETS)["metadata"]["annotations"]
        left = datetime.fromisoformat(notes["tidemill.dev/expires"]) - world.now
        assert left.total_seconds() >= long.deadline_seconds
        world.wait(600)


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
