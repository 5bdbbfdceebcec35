"""A training's pod is deleted, or its node crashes, while it fits, is judged, and uploads.

Six runs of one spec, each held where it is to be met. All end with the same package as if nothing
had happened, and nothing of the pods before is left.
"""

from contextlib import ExitStack
from dataclasses import dataclass

import pytest
from tests.apiserver.kubectl import Body, Kubectl
from tests.e2e import journey, specs
from tests.e2e.components import components_of
from tests.e2e.frozen import frozen, kill
from tests.e2e.pods import log_of, pod_of
from tests.e2e.raw_store import SYSTEM, RawStore
from tests.e2e.test_path import BUCKET, rows
from tests.e2e.world import World, eventually

pytestmark = pytest.mark.disruptive
STAGES = ("fit", "judge", "upload")
FAULTS = ("deleted", "crashed")
UPLOADING = 92  # percent, as the runner reports it
JUDGED = "accuracy = "  # in the log as soon as the model is measured, and judging begins
# Slow to fit and slow to ask, so that each stage takes longer than it takes to see it.
FOREST = specs.sklearn("sklearn.ensemble.RandomForestClassifier", n_estimators=1000)


@dataclass(frozen=True)
class After:
    """The runs when all was over, and the pods that had been met."""

    world: World
    runs: dict[str, Body]
    before: dict[str, str]


@pytest.fixture(scope="module")
def after(common: World, raw: RawStore, kubectl: Kubectl) -> After:
    world, components = common, components_of(kubectl)
    if components is None:
        pytest.skip("only a cluster of this machine has processes that a test may stop")
    raw.put(f"{world.namespace}/one.csv", rows(200))
    world.apply("Dataset", "data", specs.dataset(f"{world.namespace}/"))
    world.wait_ready("Dataset", "data")
    store = kubectl.get("pod/minio-0", "-n", SYSTEM)
    with ExitStack() as store_is_still:
        met = hold_all(world, store, store_is_still)
        for stage in STAGES:
            name = met[f"deleted-{stage}"]["metadata"]["name"]
            world.delete("pod", name, "--force", "--grace-period=0")
        with components.stopped("kubelet"):
            for stage in STAGES:
                kill(met[f"crashed-{stage}"])
    runs = {name: world.wait_ready("TrainingRun", name) for name in met}
    return After(world, runs, {name: pod["metadata"]["name"] for name, pod in met.items()})


def hold_all(world: World, store: Body, store_is_still: ExitStack) -> dict[str, Body]:
    """Bring each run to its stage and hold it there; gives their pods."""
    still: dict[str, ExitStack] = {}
    for stage in STAGES:
        for fault in FAULTS:
            name = f"{fault}-{stage}"
            spec = specs.training_run("data", estimator=FOREST, onnx="Never")
            world.apply("TrainingRun", name, spec)
            eventually(lambda run=name: "fitting" in log_of(world, run))
            hold(world, name, still)
    store_is_still.enter_context(frozen(store))
    for fault in FAULTS:
        still[f"{fault}-judge"].close()
        eventually(lambda run=f"{fault}-judge": JUDGED in log_of(world, run))
        hold(world, f"{fault}-judge", still)
    for fault in FAULTS:
        still[f"{fault}-upload"].close()
    for fault in FAULTS:
        world.wait("TrainingRun", f"{fault}-upload", is_uploading)
    return {name: pod_of(world, name) for name in still}


def hold(world: World, name: str, still: dict[str, ExitStack]) -> None:
    """Stop a run's pod; it is not let go on again before its end, unless it is asked to."""
    still[name] = ExitStack()
    still[name].enter_context(frozen(pod_of(world, name)))


def is_uploading(run: Body) -> bool:
    return bool(run["status"].get("progress", {}).get("percent", 0) >= UPLOADING)


@pytest.mark.parametrize("stage", STAGES)
@pytest.mark.parametrize("fault", FAULTS)
def test_another_pod_ends_what_one_has_begun(after: After, fault: str, stage: str) -> None:
    name = f"{fault}-{stage}"
    assert journey.started_pods(after.world)[name] == 2
    pods = {pod["metadata"]["name"]: pod for pod in after.world.list("pods")}
    if fault == "deleted":
        assert after.before[name] not in pods
    status = after.runs[name]["status"]
    assert "failure" not in status


def test_all_have_made_the_same_package(after: After) -> None:
    digests = {run["status"]["artifact"]["digest"] for run in after.runs.values()}
    assert len(digests) == 1


def test_nothing_half_is_left(after: After, raw: RawStore) -> None:
    for name, run in after.runs.items():
        prefix = f"models/{after.world.namespace}/{name}/"
        package = run["status"]["artifact"]["uri"].removeprefix(f"s3://{BUCKET}/")
        keys = raw.keys(prefix, bucket=BUCKET)
        assert f"{package}manifest.json" in keys
        assert all(key.startswith(package) for key in keys)
