"""Names that are long, alike or taken: every object has its own children and its own model."""

from collections.abc import Mapping
from typing import Any

import pytest
from tests.e2e import specs
from tests.e2e.prediction import infer
from tests.e2e.raw_store import RawStore
from tests.e2e.refusals import assert_refused
from tests.e2e.world import World

from tidemill.api.v1alpha1.dataset import Dataset
from tidemill.api.v1alpha1.model_deployment import ModelDeployment
from tidemill.api.v1alpha1.training_run import TrainingRun

SMALL = {"template": {"resources": {"requests": {"cpu": "20m", "memory": "64Mi"}}}}
LONG = ".".join(("n" * 63, "a" * 63, "m" * 63, "e" * 61))
NAMES = {
    "63-characters": "n" * 63,
    "253-characters": LONG,
    "253-characters-alike-but-for-the-last": f"{LONG[:-1]}x",
    "with-a-dot": "twin.a",
    "with-a-dash": "twin-a",
    "with-a-digit-first": "1st",
}
KINDS = (Dataset.kind, TrainingRun.kind, ModelDeployment.kind)


def rows(answer: str) -> str:
    """Make data whose model answers with the name of its data set."""
    return "a,b,label\n" + f"1,0,{answer}\n9,0,other\n" * 50


@pytest.fixture(scope="module")
def named(common: World, raw: RawStore) -> World:
    """An object of every kind for every name, all at once."""
    for case, name in NAMES.items():
        raw.put(f"{common.namespace}/{case}/x.csv", rows(case))
        assert len(name) <= 253
    folders = {name: f"{common.namespace}/{case}/" for case, name in NAMES.items()}
    wanted: Mapping[str, dict[str, dict[str, Any]]] = {
        "Dataset": {name: specs.dataset(folder) for name, folder in folders.items()},
        "TrainingRun": {name: specs.training_run(name, **SMALL) for name in NAMES.values()},
        "ModelDeployment": {name: specs.model_deployment(name, **SMALL) for name in NAMES.values()},
    }
    for kind, objects in wanted.items():
        common.apply_all(kind, objects)
    return common


@pytest.mark.parametrize("case", NAMES)
def test_every_kind_takes_the_name(named: World, case: str) -> None:
    name = NAMES[case]
    for kind in KINDS:
        named.wait_ready(kind, name, 240)
    url = named.read("ModelDeployment", name)["status"]["url"]
    service, namespace, _ = url.removeprefix("http://").split(".")
    assert (namespace, len(service) <= 63) == (named.namespace, True)
    assert infer(named, service, name, {"a": [1, 9], "b": [0, 0]})["predict"] == [case, "other"]


def test_no_two_objects_share_a_child(named: World) -> None:
    for kind in KINDS:
        for name in NAMES.values():
            named.wait_ready(kind, name, 240)
    for kind, each in (("jobs", 2), ("deployments", 1), ("services", 1)):
        owners = [body["metadata"]["ownerReferences"] for body in named.list(kind)]
        assert {len(references) for references in owners} == {1}
        found = [(owner["kind"], owner["name"]) for (owner,) in owners]
        ours = [owner for owner in found if owner[1] in NAMES.values()]
        assert len(ours) == len(set(ours)) == len(NAMES) * each


def test_a_service_of_somebody_else_is_left_alone(common: World, raw: RawStore) -> None:
    raw.put(f"{common.namespace}/conflict/x.csv", rows("conflict"))
    service = {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": "taken", "namespace": common.namespace},
        "spec": {"selector": {"app": "somebodys"}, "ports": [{"name": "http", "port": 80}]},
    }
    before = common.kubectl.apply(service)
    common.apply("Dataset", "taken", specs.dataset(f"{common.namespace}/conflict/"))
    common.apply("TrainingRun", "taken", specs.training_run("taken", **SMALL))
    common.apply("ModelDeployment", "taken", specs.model_deployment("taken", **SMALL))
    tells = (f"Service {common.namespace}/taken exists already", "to nobody of ours", "rename")
    body = assert_refused(common, "ModelDeployment", "taken", "NameConflict", tells)
    assert "url" not in body["status"]
    assert common.read("service", "taken")["spec"] == before["spec"]
    common.delete("service", "taken")
    common.wait_ready("ModelDeployment", "taken")
    answer = infer(common, "taken", "taken", {"a": [1], "b": [0]})
    assert answer["predict"] == ["conflict"]
