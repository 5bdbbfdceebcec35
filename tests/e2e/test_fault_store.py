"""The store goes away while data is read, while a model is uploaded, while a server loads.

One outage meets all three: each phase is held at its moment until the others are at theirs.
"""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

import pytest
from tests.apiserver.kubectl import Body, Kubectl
from tests.e2e import journey, specs
from tests.e2e.frozen import frozen
from tests.e2e.node_gate import node_gate
from tests.e2e.prediction import infer
from tests.e2e.raw_store import SYSTEM, RawStore
from tests.e2e.test_path import BUCKET, rows
from tests.e2e.traffic import Tally, steady_requests
from tests.e2e.world import World, condition, eventually, settled

pytestmark = pytest.mark.disruptive
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
                gate.open()
                logs = {name: held(world, name) for name in ("many", "uploading", "loading")}
            yield Outage(world, copied, logs, tally)


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
    world.apply("TrainingRun", "uploading", specs.training_run("data", estimator=VERY_SLOW))
    eventually(lambda: "fitting" in log_of(world, "uploading"))
    still.enter_context(frozen(pod_of(world, "uploading")))
    done = len(copies(world, raw))
    world.apply("Dataset", "many", specs.dataset(f"{world.namespace}/many/"))
    eventually(lambda: len(copies(world, raw)) > done + 5)
    still.enter_context(frozen(pod_of(world, "many")))
    return len(copies(world, raw)) - done


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
    elif name == "uploading":
        world.wait("TrainingRun", name, lambda b: b["status"]["progress"]["percent"] >= UPLOADING)
    else:
        world.wait_reason("Dataset", name, "StoreUnavailable")
    for job in world.list("jobs"):
        if job["metadata"]["name"].startswith(("many-", "uploading-")):
            assert not job["status"].get("conditions"), "it has ended without the store"
    return log_of(world, name)


def log_of(world: World, name: str) -> str:
    """Read the logs of the pods of an object; empty when none has started."""
    found = pods_of(world, name, "Running")
    flags = ("-n", world.namespace, "--all-containers")
    return "".join(world.kubectl("logs", pod, *flags) for pod in found)


def pod_of(world: World, name: str) -> Body:
    (pod,) = pods_of(world, name, "Running")
    return world.read("pod", pod)


def pods_of(world: World, name: str, phase: str) -> list[str]:
    names = [
        pod["metadata"]["name"]
        for pod in world.list("pods", f"--field-selector=status.phase={phase}")
    ]
    return [pod for pod in names if pod.startswith(f"{name}-")]


def test_the_store_goes_while_data_is_read(outage: Outage) -> None:
    assert 0 < outage.copied < FILES
    status = outage.world.wait_ready("Dataset", "many")["status"]
    assert (status["objects"], status["rows"]) == (FILES, FILES * 20)
    assert status["ingest"]["attempts"] == 1
    assert journey.started_pods(outage.world)["many"] == 1


def test_the_store_goes_while_a_model_is_uploaded(outage: Outage, raw: RawStore) -> None:
    status = outage.world.wait_ready("TrainingRun", "uploading")["status"]
    package = status["artifact"]["uri"].removeprefix(f"s3://{BUCKET}/")
    assert f"{package}manifest.json" in raw.keys(package, bucket=BUCKET)
    assert journey.started_pods(outage.world)["uploading"] == 1


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
