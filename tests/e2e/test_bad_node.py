"""A node that stops answering: the run that it had says so, and goes on when it is back."""

import pytest
from tests.apiserver.kubectl import Kubectl
from tests.e2e import specs
from tests.e2e.components import components_of
from tests.e2e.raw_store import RawStore
from tests.e2e.refusals import assert_refused
from tests.e2e.test_path import rows
from tests.e2e.world import World, summary

ENDLESS = specs.sklearn("sklearn.ensemble.RandomForestClassifier", n_estimators=1_000_000)


@pytest.mark.disruptive
def test_a_lost_node_is_named_and_the_run_goes_on_when_it_is_back(
    world: World, raw: RawStore, kubectl: Kubectl
) -> None:
    components = components_of(kubectl)
    if components is None:
        pytest.skip("only a cluster of this machine has a kubelet that a test may stop")
    raw.put(f"{world.namespace}/one.csv", rows(200))
    world.apply("Dataset", "data", specs.dataset(f"{world.namespace}/"))
    world.apply("TrainingRun", "lost", specs.training_run("data", estimator=ENDLESS))
    job = world.wait_reason("TrainingRun", "lost", "Training")["status"]["job"]
    world.wait("job", job, lambda b: b.get("status", {}).get("ready"))
    (pod,) = world.list("pods", "-l", f"batch.kubernetes.io/job-name={job}")
    with components.stopped("kubelet"):
        seen = f"while pod {pod['metadata']['name']} ran on it"
        tells = (f"node {pod['spec']['nodeName']}", seen, "restore the node")
        body = assert_refused(world, "TrainingRun", "lost", "NodeLost", tells)
        # Which of the two is a matter of when one looks: later, the node is given up as well.
        message = summary(body)["message"]
        assert "stopped answering" in message or "was lost" in message
    world.wait_reason("TrainingRun", "lost", "Training")
    again = world.wait("job", job, lambda b: b.get("status", {}).get("ready"))
    assert not again["status"].get("failed")
