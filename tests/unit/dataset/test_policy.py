"""What the administrator's policy does not allow is not ingested; versions stay in use."""

from typing import Any

import pytest
from tests.unit.children.world import World, summary, until_quiet
from tests.unit.dataset.scene import cluster, process
from tests.unit.policy.scene import put_policy

from tidemill.kube.resources import JOBS

KIND, NAME = "Dataset", "d"
SPEC = {"source": {"inline": {"format": "CSV", "data": "a\n1\n"}}}
IMAGE = "registry.example.org/clean@sha256:" + "0" * 64


async def run(world: World) -> None:
    await until_quiet(world, process(world)(), KIND, NAME)


def put(world: World, **changes: Any) -> dict[str, Any]:
    return world.put(KIND, NAME, {**SPEC, **changes})


@pytest.mark.parametrize(
    ("rules", "changes", "words"),
    [
        pytest.param(
            "images: [registry.example.org/ml/*]",
            {"prepare": {"container": {"image": IMAGE}}},
            "spec.prepare.container.image: registry.example.org/clean",
            id="image",
        ),
        pytest.param(
            "maxDeadline: 1h",
            {"prepare": {"container": {"image": IMAGE}, "deadline": "2h"}},
            "spec.prepare.deadline: 2h is more than maxDeadline (1h)",
            id="deadline",
        ),
        pytest.param(
            "maxResources: {container: {memory: 512Mi}}",
            {},
            "container runner may use 1Gi of memory",
            id="memory",
        ),
        pytest.param("labels: {team: '*'}", {}, "there is no team", id="label"),
    ],
)
async def test_what_is_held(world: World, rules: str, changes: dict[str, Any], words: str) -> None:
    put_policy(world, f"rules: {{{rules}}}")
    body = put(world, **changes)
    await run(world)
    assert summary(body)["reason"] == "PolicyViolated"
    assert words in summary(body)["message"]
    assert not world.api.all(JOBS)
    put_policy(world, "rules: {}")
    await run(world)
    assert len(world.api.all(JOBS)) == 1


async def test_estimators_are_no_matter_of_a_dataset(world: World) -> None:
    put_policy(world, "rules: {estimators: []}")
    body = put(world)
    await run(world)
    cluster(world)()
    await run(world)
    assert summary(body)["reason"] == "Ready"
