"""What the administrator's policy does not allow is not started; what runs is let be."""

from typing import Any

import pytest
from tests.unit.children.world import World, condition_types, once, summary, until_quiet
from tests.unit.policy.scene import put_policy, remove_policy
from tests.unit.training.scene import (
    PACKAGED,
    SPEC,
    cluster,
    leave_package,
    leave_result,
    process,
    put_dataset,
)

from tidemill.kube.errors import Forbidden, Unavailable
from tidemill.kube.resources import CONFIG_MAPS, JOBS, SECRETS

KIND, NAME = "TrainingRun", "r"
FORBIDS = "rules: {estimators: [sklearn.linear_model.*]}"


async def run(world: World, name: str = NAME) -> None:
    await until_quiet(world, process(world)(), KIND, name)


def put_run(world: World, **changes: Any) -> dict[str, Any]:
    put_dataset(world)
    return world.put(KIND, NAME, {**SPEC, **changes})


async def test_a_run_is_held_until_the_policy_allows_it(world: World) -> None:
    put_policy(world, FORBIDS)
    body = put_run(world)
    await run(world)
    condition = summary(body)
    assert (condition["status"], condition["reason"]) == ("False", "PolicyViolated")
    assert "Stalled" in condition_types(body)
    for word in (
        "spec.estimator.sklearn.steps[0].class: sklearn.dummy.DummyClassifier",
        "sklearn.linear_model.*",
        "ConfigMap tidemill-policy in namespace tidemill-system",
    ):
        assert word in condition["message"]
    assert not world.api.all(JOBS)
    assert not world.api.all(SECRETS), "no keys were made for it"
    put_policy(world, "rules: {estimators: [sklearn.*]}")
    await run(world)
    assert len(world.api.all(JOBS)) == 1
    assert summary(body)["reason"] == "Training"


async def test_a_namespace_of_its_own_rules(world: World) -> None:
    own = "namespaces: [{names: [n*], rules: {estimators: null}}]"
    put_policy(world, f"{FORBIDS}\n{own}")
    put_run(world)
    await run(world)
    assert len(world.api.all(JOBS)) == 1


async def test_what_runs_is_let_be(world: World) -> None:
    body = put_run(world)
    await run(world)
    put_policy(world, FORBIDS)
    await run(world)
    assert len(world.api.all(JOBS)) == 1
    cluster(world)()
    await run(world)
    assert summary(body)["status"] == "True"


async def test_what_has_ended_is_a_record(world: World) -> None:
    body = put_run(world)
    await run(world)
    cluster(world)()
    await run(world)
    put_policy(world, FORBIDS)
    await run(world)
    assert summary(body)["status"] == "True"


async def test_no_result_is_taken_that_could_not_be_made(world: World) -> None:
    first = put_run(world)
    await run(world)
    leave_package(world)
    leave_result(world, world.job(), PACKAGED)
    world.end_job(world.job(), "Complete")
    await run(world)
    assert summary(first)["status"] == "True"
    put_policy(world, FORBIDS)
    second = world.put(KIND, "second", dict(SPEC))
    await run(world, "second")
    assert summary(second)["reason"] == "PolicyViolated"
    remove_policy(world)
    await run(world, "second")
    assert second["status"]["cachedFrom"]["name"] == NAME, "the same run would have been taken"


@pytest.mark.parametrize(
    ("rules", "changes", "words"),
    [
        pytest.param(
            "maxResources: {container: {memory: 4Gi}}",
            {"template": {"resources": {"limits": {"memory": "6Gi"}}}},
            "container runner may use 6Gi of memory",
            id="memory asked for",
        ),
        pytest.param(
            "maxResources: {container: {memory: 1Gi}}",
            {},
            "container runner may use 2Gi of memory",
            id="memory by default",
        ),
        pytest.param(
            "maxResources: {container: {memory: 4Gi}}",
            {"retry": {"growMemory": "5Gi"}},
            "container runner may use 5Gi of memory",
            id="memory that it may come to have",
        ),
        pytest.param(
            "maxResources: {pod: {memory: 2Gi}}",
            {"template": {"sidecars": [{"name": "s", "image": "a.io/s@sha256:" + "0" * 64}]}},
            "its pod may use 2304Mi of memory",
            id="a sidecar adds to the pod",
        ),
        pytest.param(
            "images: [b.io/*]",
            {"template": {"sidecars": [{"name": "s", "image": "a.io/s@sha256:" + "0" * 64}]}},
            "spec.template.sidecars[0].image: a.io/s",
            id="an image",
        ),
        pytest.param("labels: {team: '*'}", {}, "there is no team", id="a label"),
        pytest.param("maxDeadline: 30m", {"deadline": "1h"}, "spec.deadline: 1h", id="a deadline"),
    ],
)
async def test_what_is_not_allowed(
    world: World, rules: str, changes: dict[str, Any], words: str
) -> None:
    put_policy(world, f"rules: {{{rules}}}")
    body = put_run(world, **changes)
    await run(world)
    assert summary(body)["reason"] == "PolicyViolated"
    assert words in summary(body)["message"]
    assert not world.api.all(JOBS)


async def test_a_policy_with_a_fault_lets_nothing_start(world: World) -> None:
    put_policy(world, "rules: {estimator: []}")
    body = put_run(world)
    await run(world)
    assert summary(body)["reason"] == "PolicyInvalid"
    assert "rules.estimator" in summary(body)["message"]
    assert not world.api.all(JOBS)


@pytest.mark.parametrize(
    "error",
    [
        pytest.param(Forbidden("configmaps is forbidden", status=403), id="no right to"),
        pytest.param(Unavailable("no answer"), id="no answer"),
    ],
)
async def test_a_policy_that_cannot_be_read_lets_nothing_start(
    world: World, error: Exception
) -> None:
    body = put_run(world)
    world.api.unreadable[CONFIG_MAPS] = error
    await once(process(world)(), KIND, NAME)
    assert summary(body)["reason"] == "PolicyInvalid"
    assert "cannot be read" in summary(body)["message"]
    assert not world.api.all(JOBS)
    del world.api.unreadable[CONFIG_MAPS]
    await run(world)
    assert len(world.api.all(JOBS)) == 1
