"""Pods that cannot start: who cannot take them and why is said, and they start when they can."""

from collections.abc import Mapping
from typing import Any

import pytest
from tests.apiserver.kubectl import RefusedError
from tests.e2e import specs
from tests.e2e.node_gate import node_gate
from tests.e2e.raw_store import RawStore
from tests.e2e.refusals import assert_refused
from tests.e2e.test_path import rows
from tests.e2e.world import World

NOWHERE = {"nodeSelector": {"tidemill.dev/e2e": "no-such-node"}}
NO_IMAGE = "localhost:1/no-such-image:1"


@pytest.fixture(scope="module")
def pods(common: World, raw: RawStore) -> World:
    """Data, a model of it, and objects of every kind whose pods no node takes."""
    prefix = f"{common.namespace}/"
    raw.put(f"{prefix}one.csv", rows(200))
    good = specs.dataset(prefix)
    common.apply_all("Dataset", {"good": good, "nowhere": {**good, "template": NOWHERE}})
    huge = {"template": {"resources": {"requests": {"cpu": "999"}}}}
    runs = {"good": {}, "nowhere": {"template": NOWHERE}, "huge": huge}
    common.apply_all(
        "TrainingRun", {name: specs.training_run("good", **more) for name, more in runs.items()}
    )
    nowhere = specs.model_deployment("good", template=NOWHERE)
    common.apply_all("ModelDeployment", {"nowhere": nowhere})
    return common


UNSCHEDULABLE = {
    "dataset": ("Dataset", "nowhere", "node affinity/selector"),
    "training-run": ("TrainingRun", "nowhere", "node affinity/selector"),
    "model-deployment": ("ModelDeployment", "nowhere", "node affinity/selector"),
    "too-much-asked": ("TrainingRun", "huge", "Insufficient cpu"),
}


@pytest.mark.parametrize("case", UNSCHEDULABLE)
def test_a_pod_that_no_node_takes_says_why(pods: World, case: str) -> None:
    kind, name, why = UNSCHEDULABLE[case]
    tells = ("no node takes the pod", "nodes are available", why, "spec.template")
    assert_refused(pods, kind, name, "Unschedulable", tells)


TOO_LITTLE = {"resources": {"requests": {"memory": "2Gi"}, "limits": {"memory": "1Gi"}}}
NO_LABEL = {"nodeSelector": {"not a label!": "x"}}
REFUSED = {
    "dataset": ("Dataset", TOO_LITTLE, ("memory limit of 1Gi", "Job")),
    "training-run": ("TrainingRun", TOO_LITTLE, ("memory limit of 1Gi", "Job")),
    "model-deployment": ("ModelDeployment", TOO_LITTLE, ("memory limit of 1Gi", "Deployment")),
    "not-a-label": ("TrainingRun", NO_LABEL, ("nodeSelector", "not a label!")),
}


@pytest.mark.parametrize("case", REFUSED)
def test_a_pod_that_the_api_server_refuses_is_told_in_its_words(pods: World, case: str) -> None:
    kind, template, tells = REFUSED[case]
    name = f"refused-{case}"
    wanted: Mapping[str, Mapping[str, Any]] = {
        "Dataset": specs.dataset(f"{pods.namespace}/") | {"template": template},
        "TrainingRun": specs.training_run("good", template=template),
        "ModelDeployment": specs.model_deployment("good", template=template),
    }
    pods.apply(kind, name, wanted[kind])
    assert_refused(pods, kind, name, "SpecInvalid", ("Invalid value", *tells, "correct"))
    if kind != "TrainingRun":
        pods.apply(kind, name, {**wanted[kind], "template": {}})
        pods.wait_ready(kind, name)


def test_a_run_ends_well_although_its_dataset_is_deleted_meanwhile(pods: World) -> None:
    with node_gate(pods) as gate:
        pods.apply("Dataset", "gone", specs.dataset(f"{pods.namespace}/"))
        version = pods.wait_ready("Dataset", "gone")["status"]["version"]
        pods.apply("TrainingRun", "orphan", specs.training_run("gone", template=gate.template))
        pods.wait_stalled("TrainingRun", "orphan", "Unschedulable")
        pods.delete("Dataset", "gone")
        gate.open()
        status = pods.wait_ready("TrainingRun", "orphan")["status"]
    assert status["applied"]["datasetVersion"] == version
    assert status["artifact"]["digest"]


def test_an_image_that_cannot_be_pulled_is_named_and_heals(pods: World) -> None:
    """The image is the installation's; a pod's own can be edited while no node has it."""
    with node_gate(pods) as gate:
        spec = specs.training_run("good", template=gate.template)
        pods.apply("TrainingRun", "no-image", spec)
        pods.wait_stalled("TrainingRun", "no-image", "Unschedulable")
        job = pods.read("TrainingRun", "no-image")["status"]["job"]
        (pod,) = pods.list("pods", "-l", f"batch.kubernetes.io/job-name={job}")
        name, image = pod["metadata"]["name"], pod["spec"]["containers"][0]["image"]
        set_image(pods, name, NO_IMAGE)
        gate.open()
        tells = ("cannot pull the image", NO_IMAGE, "check the registry")
        assert_refused(pods, "TrainingRun", "no-image", "ImagePullFailed", tells)
        set_image(pods, name, image)
        pods.wait_ready("TrainingRun", "no-image")


def set_image(pods: World, pod: str, image: str) -> None:
    pods.kubectl("set", "image", f"pod/{pod}", f"runner={image}", "-n", pods.namespace)


def test_a_run_cannot_be_changed_after_its_start(pods: World) -> None:
    def spec(strength: float) -> dict[str, Any]:
        model = specs.sklearn("sklearn.linear_model.LogisticRegression", C=strength)
        return specs.training_run("good", estimator=model, template=NOWHERE)

    pods.apply("TrainingRun", "changed", spec(1.0))
    pods.wait_stalled("TrainingRun", "changed", "Unschedulable")
    words = "estimator cannot be changed: a run is a record; create a new TrainingRun"
    with pytest.raises(RefusedError, match=words):
        pods.apply("TrainingRun", "changed", spec(0.5))
    pods.wait_stalled("TrainingRun", "changed", "Unschedulable")
