"""A search in its pod: stopped on the way it goes on where it was, and is told in the status."""

from tests.e2e.raw_store import RawStore
from tests.e2e.test_estimators import sample
from tests.e2e.test_path import BUCKET
from tests.e2e.world import Body, World

NAME = "deliveries-search"


def test_a_search_that_is_suspended_goes_on_and_is_told(world: World, raw: RawStore) -> None:
    run = sample(world, "search")
    del run["spec"]["search"]["earlyStopping"]
    # Long enough to be stopped on the way.
    run["spec"]["search"] |= {"method": "Random", "trials": 40}
    world.apply_list([sample(world, "dataset"), run])
    uid = world.read("TrainingRun", NAME)["metadata"]["uid"]
    trials = f"runs/{world.namespace}/{uid}/search/"
    world.wait("TrainingRun", NAME, lambda _: raw.keys(trials, bucket=BUCKET))
    world.patch("TrainingRun", NAME, {"spec": {"suspend": True}})

    def stopped(body: Body) -> bool:
        job = body["status"]["job"]
        gone = all(one["metadata"]["name"] != job for one in world.list("jobs"))
        return gone or "artifact" in body["status"]

    world.wait("TrainingRun", NAME, stopped)
    kept = {key: raw.get(key, bucket=BUCKET) for key in raw.keys(trials, bucket=BUCKET)}
    world.patch("TrainingRun", NAME, {"spec": {"suspend": False}})
    status = world.wait_ready("TrainingRun", NAME)["status"]
    search = status["search"]
    assert (search["trials"], search["failed"], search["best"]["metric"]) == (40, 0, "log_loss")
    assert set(search["best"]["params"]) == set(run["spec"]["search"]["space"])
    # A trial done again would tell another number of seconds.
    assert {key: raw.get(key, bucket=BUCKET) for key in kept} == kept
    page = raw.get(status["report"].removeprefix(f"s3://{BUCKET}/"), bucket=BUCKET).decode()
    assert "40 trials by Random, judged by log_loss" in page
