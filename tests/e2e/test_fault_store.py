"""The store goes away while data is read, while models are uploaded, while a server loads.

One of the runs that upload is suspended meanwhile, and resumed when all is over. One outage meets
all: each phase is held at its moment until the others are at theirs.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

import pytest
from tests.apiserver.kubectl import Kubectl
from tests.e2e import journey, specs
from tests.e2e.frozen import frozen
from tests.e2e.node_gate import node_gate
from tests.e2e.pods import is_of, log_of, pod_of, pods_of
from tests.e2e.prediction import infer
from tests.e2e.raw_store import SYSTEM, RawStore
from tests.e2e.test_path import BUCKET, rows
from tests.e2e.traffic import Tally, steady_requests
from tests.e2e.world import World, condition, eventually, settled

pytestmark = pytest.mark.disruptive
POD_PATIENCE = 60.0  # of the runner with its store; see storage.PATIENCE
FILES = 2000  # as many as take longer to read than it takes to see that some have been
UPLOADING = 92  # percent, as the runner reports it
# As long as it takes to see in the log that it is under way.
VERY_SLOW = specs.sklearn("sklearn.linear_model.LogisticRegressionCV", Cs=1200)


@dataclass(frozen=True)
class Outage:
    """What was seen while the store was away, and the world after it had come back."""

    world: World
    copied: int  # objects that the ingest had copied until then
    logs: dict[str, str]
    tally: Tally
    seconds: float

    def assert_one_pod(self, name: str) -> None:
        """A pod bears an outage that is shorter than its patience; after that another follows."""
        pods = journey.started_pods(self.world)[name]
        assert pods == 1 or (self.seconds > POD_PATIENCE and pods == 2)


@pytest.fixture(scope="module")
def outage(common: World, raw: RawStore, kubectl: Kubectl) -> Iterator[Outage]:
    world = common
    with node_gate(world) as gate:
        prepare(world, raw)
        waiting = specs.model_deployment("one", template=gate.template)
        world.apply("ModelDeployment", "loading", waiting)
        eventually(lambda: len(pods_of(world, "loading", "Pending")) == 1)
        with steady_requests(world, "web", "web") as tally:
            with store_away(kubectl) as take_away:
                with ExitStack() as still:
                    copied = begin(world, raw, still)
                    take_away()
                    began = time.monotonic()
                gate.open()
                names = ("many", "uploading", "paused", "loading")
                logs = {name: held(world, name) for name in names}
                suspend(world, "paused")
            yield Outage(world, copied, logs, tally, time.monotonic() - began)


def prepare(world: World, raw: RawStore) -> None:
    """Have a model that answers, and much to read."""
    raw.put(f"{world.namespace}/data/one.csv", rows(100))
    world.apply("Dataset", "data", specs.dataset(f"{world.namespace}/data/"))
    world.apply("TrainingRun", "one", specs.training_run("data"))
    world.apply("ModelDeployment", "web", specs.model_deployment("one"))
    for number in range(FILES):
        raw.put(f"{world.namespace}/many/{number:04}.csv", rows(20, shift=number))
    world.wait_ready("ModelDeployment", "web")


def begin(world: World, raw: RawStore, still: ExitStack) -> int:
    """Hold a fit and then an ingest where they are in the middle; tell how far the latter."""
    for seed, name in enumerate(("uploading", "paused")):
        spec = specs.training_run("data", estimator=VERY_SLOW, seed=seed)
        world.apply("TrainingRun", name, spec)
        eventually(lambda run=name: "fitting" in log_of(world, run))
        still.enter_context(frozen(pod_of(world, name)))
    done = len(copies(world, raw))
    world.apply("Dataset", "many", specs.dataset(f"{world.namespace}/many/"))
    eventually(lambda: len(copies(world, raw)) > done + 5)
    still.enter_context(frozen(pod_of(world, "many")))
    return len(copies(world, raw)) - done


def suspend(world: World, name: str) -> None:
    """Stop a run, and see that it has stopped."""
    world.patch("TrainingRun", name, {"spec": {"suspend": True}})
    world.wait_reason("TrainingRun", name, "Suspended")
    eventually(lambda: not [job for job in world.list("jobs") if is_of(job, name)])
    eventually(lambda: not [pod for pod in world.list("pods") if is_of(pod, name)])


def copies(world: World, raw: RawStore) -> list[str]:
    return raw.keys(f"cas/{world.namespace}/", bucket=BUCKET)


@contextmanager
def store_away(kubectl: Kubectl) -> Iterator[Callable[[], None]]:
    """Give what takes the store away; it is back in the end."""
    try:
        yield lambda: scale(kubectl, 0)
    finally:
        scale(kubectl, 1)


def scale(kubectl: Kubectl, replicas: int) -> None:
    kubectl("scale", "statefulset/minio", f"--replicas={replicas}", "-n", SYSTEM)

    def done() -> bool:
        status = kubectl.get("statefulset/minio", "-n", SYSTEM)["status"]
        pods = kubectl.get("pods", "-n", SYSTEM, "-l", "app.kubernetes.io/name=minio")["items"]
        return len(pods) == status.get("readyReplicas", 0) == replicas

    eventually(done, 60)


def held(world: World, name: str) -> str:
    """Wait until work waits for the store, and look that it has not ended; gives its log."""
    if name == "loading":
        eventually(lambda: "waiting for the store" in log_of(world, name))
        assert not pods_of(world, name, "Succeeded")
    elif name in ("uploading", "paused"):
        world.wait("TrainingRun", name, lambda b: b["status"]["progress"]["percent"] >= UPLOADING)
    else:
        world.wait_reason("Dataset", name, "StoreUnavailable")
    for job in world.list("jobs"):
        if job["metadata"]["name"].startswith(("many-", "uploading-", "paused-")):
            assert not job["status"].get("conditions"), "it has ended without the store"
    return log_of(world, name)


def test_the_store_goes_while_data_is_read(outage: Outage) -> None:
    assert 0 < outage.copied < FILES
    status = outage.world.wait_ready("Dataset", "many")["status"]
    assert (status["objects"], status["rows"]) == (FILES, FILES * 20)
    assert status["ingest"]["attempts"] == 1
    outage.assert_one_pod("many")


def test_the_store_goes_while_a_model_is_uploaded(outage: Outage, raw: RawStore) -> None:
    status = outage.world.wait_ready("TrainingRun", "uploading")["status"]
    package = status["artifact"]["uri"].removeprefix(f"s3://{BUCKET}/")
    assert f"{package}manifest.json" in raw.keys(package, bucket=BUCKET)
    outage.assert_one_pod("uploading")


def test_a_run_is_suspended_while_its_model_is_uploaded(outage: Outage, raw: RawStore) -> None:
    world = outage.world
    package = f"models/{world.namespace}/paused/"
    assert not any(key.endswith("manifest.json") for key in raw.keys(package, bucket=BUCKET))
    assert world.read("TrainingRun", "paused")["status"]["applied"]
    world.patch("TrainingRun", "paused", {"spec": {"suspend": False}})
    status = world.wait_ready("TrainingRun", "paused")["status"]
    whole = status["artifact"]["uri"].removeprefix(f"s3://{BUCKET}/")
    assert f"{whole}manifest.json" in raw.keys(package, bucket=BUCKET)


def test_the_store_goes_while_a_server_loads(outage: Outage) -> None:
    assert "StoreUnavailable" in outage.logs["loading"]
    world = outage.world
    body = world.wait("ModelDeployment", "loading", settled)
    assert not condition(body, "Stalled")
    assert infer(world, "loading", "loading", {"a": [1, 16], "b": [0.0, 1.0]})["predict"] == [
        "down",
        "up",
    ]
    (pod,) = [p for p in world.list("pods") if p["metadata"]["name"].startswith("loading-")]
    assert pod["status"]["containerStatuses"][0]["restartCount"] == 0


def test_meanwhile_what_has_loaded_answers(outage: Outage) -> None:
    assert sum(outage.tally.answers.values()) > 100
    assert outage.tally.failures == []
