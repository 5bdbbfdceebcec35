"""The image of a run's Job follows from the class of its last step."""

from typing import Any

import pytest
from tests.unit.children.world import World, until_quiet
from tests.unit.training.scene import RESULT, SPEC, cluster, leave_result, process, put_dataset

from tidemill.kube.resources import JOBS, TRAINING_RUNS

WITH = ("runner-with", "server-with")


def spec(*classes: str) -> dict[str, Any]:
    steps = [{"name": f"s{place}", "class": path} for place, path in enumerate(classes)]
    return {**SPEC, "estimator": {"sklearn": {"steps": steps}}}


@pytest.mark.parametrize(
    ("classes", "boosting", "wanted"),
    [
        (["xgboost.XGBClassifier"], WITH, "runner-with"),
        (["sklearn.preprocessing.StandardScaler", "lightgbm.LGBMClassifier"], WITH, "runner-with"),
        (["sklearn.dummy.DummyClassifier"], WITH, None),
        (["xgboosted.XGBClassifier"], WITH, None),
        (["xgboost.XGBClassifier"], (), None),
    ],
    ids=["xgboost", "lightgbm after a step", "scikit-learn", "another name", "not installed"],
)
async def test_the_image(
    world: World, classes: list[str], boosting: tuple[str, ...], wanted: str | None
) -> None:
    world.boosting = boosting
    put_dataset(world)
    world.put("TrainingRun", "r", spec(*classes))
    await until_quiet(world, process(world)(), "TrainingRun", "r")
    [job] = world.api.all(JOBS)
    [container] = job["spec"]["template"]["spec"]["containers"]
    assert container["image"] == (wanted or world.runner)
    applied = world.api.one(TRAINING_RUNS)["status"]["applied"]
    assert applied["image"] == container["image"]


async def test_the_record_tells_whose_trees_they_are(world: World) -> None:
    put_dataset(world)
    world.put("TrainingRun", "r", SPEC)
    await until_quiet(world, process(world)(), "TrainingRun", "r")
    [job] = world.api.all(JOBS)
    artifact = {**RESULT["artifact"], "trees": "xgboost"}
    leave_result(world, job, {**RESULT, "artifact": artifact})
    world.end_job(job, "Complete")
    cluster(world)()
    await until_quiet(world, process(world)(), "TrainingRun", "r")
    assert world.api.one(TRAINING_RUNS)["status"]["artifact"]["trees"] == "xgboost"
