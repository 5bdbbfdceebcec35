"""The API server and etcd stop and come back: work goes on, and the model server never stops.

It is the installed operator that lives through this. Each time a run is under way, and new data is
delivered while nobody can be told of it.
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from tests.apiserver.kubectl import Kubectl
from tests.e2e import journey, specs
from tests.e2e.components import Components, components_of
from tests.e2e.raw_store import RawStore
from tests.e2e.test_path import rows
from tests.e2e.traffic import Tally, steady_requests
from tests.e2e.world import World, condition, eventually, settled, summary

pytestmark = pytest.mark.disruptive
OUTAGE_SECONDS = 60.0


@pytest.fixture(scope="module")
def components(kubectl: Kubectl) -> Components:
    found = components_of(kubectl)
    if found is None:
        pytest.skip("only the local cluster's components can be stopped from here")
    return found


@pytest.fixture(scope="module")
def served(common: World, raw: RawStore) -> World:
    """A namespace in which `web` answers."""
    raw.put(f"{common.namespace}/0.csv", rows(100))
    common.apply("Dataset", "data", specs.dataset(f"{common.namespace}/"))
    common.apply("TrainingRun", "one", specs.training_run("data"))
    common.apply("ModelDeployment", "web", specs.model_deployment("one"))
    common.wait_ready("ModelDeployment", "web")
    return common


@contextmanager
def work_goes_on(world: World, raw: RawStore, name: str) -> Iterator[Tally]:
    """Have a run under way and the server asked all the time; see that all ends well."""
    run, more = f"during-{name}", 10
    before = world.read("Dataset", "data")["status"]["rows"]
    world.apply("TrainingRun", run, specs.training_run("data", estimator=journey.SLOW))
    world.wait("TrainingRun", run, journey.is_fitting)
    with steady_requests(world, "web", "web") as tally:
        asked = answers(tally)
        eventually(lambda: answers(tally) > asked + 10, 30)
        yield tally
        raw.put(f"{world.namespace}/{name}.csv", rows(more))
        ended = world.wait_ready("TrainingRun", run)
        world.wait("Dataset", "data", lambda b: settled(b) and b["status"]["rows"] == before + more)
        asked = answers(tally)
        eventually(lambda: answers(tally) > asked + 10, 30)
    assert tally.failures == []
    assert summary(ended)["reason"] == "Succeeded"
    assert journey.started_pods(world)[run] == 1


def answers(tally: Tally) -> int:
    return sum(tally.answers.values())


@pytest.mark.parametrize("component", ["kube-apiserver", "etcd"])
def test_restarted_it_is_hardly_noticed(
    served: World, raw: RawStore, components: Components, component: str
) -> None:
    with work_goes_on(served, raw, component):
        components.restart(component)


def test_without_an_api_server_for_a_minute_servers_answer_and_the_operator_comes_back(
    served: World, raw: RawStore, components: Components
) -> None:
    with work_goes_on(served, raw, "outage") as tally:
        with components.stopped("kube-apiserver"):
            end, asked = time.monotonic() + OUTAGE_SECONDS, answers(tally)
            eventually(lambda: time.monotonic() > end, OUTAGE_SECONDS + 10)
            assert answers(tally) > asked + OUTAGE_SECONDS
        served.apply("ModelDeployment", "web", specs.model_deployment("one", replicas=2))
        served.wait(
            "ModelDeployment", "web", lambda b: settled(b) and b["status"].get("replicas") == "2/2"
        )
    assert not condition(served.read("ModelDeployment", "web"), "Stalled")
