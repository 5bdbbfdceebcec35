"""Every sample of ours is taken as it stands, by the API server and by the operator's models."""

from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.apiserver.kubectl import Kubectl

from tidemill.api.v1alpha1 import API_VERSION
from tidemill.api.v1alpha1.dataset import DatasetSpec
from tidemill.api.v1alpha1.model_deployment import ModelDeploymentSpec
from tidemill.api.v1alpha1.training_run import TrainingRunSpec

FOLDER = Path(__file__).parents[2] / "manifests" / "samples"
SPECS = {
    "Dataset": DatasetSpec,
    "TrainingRun": TrainingRunSpec,
    "ModelDeployment": ModelDeploymentSpec,
}


def samples() -> list[Any]:
    found = []
    for path in sorted(FOLDER.rglob("*.yaml")):
        for body in yaml.safe_load_all(path.read_text(encoding="utf-8")):
            if body.get("apiVersion") == API_VERSION:
                name = f"{path.relative_to(FOLDER)} {body['kind']} {body['metadata']['name']}"
                found.append(pytest.param(body, id=name))
    return found


SAMPLES = samples()


def test_samples_are_found() -> None:
    assert {one.values[0]["kind"] for one in SAMPLES} == set(SPECS)
    assert any(str(one.id).startswith("protocol/shelf.yaml") for one in SAMPLES)


@pytest.mark.parametrize("body", SAMPLES)
def test_a_sample_is_taken(kubectl: Kubectl, body: dict[str, Any]) -> None:
    metadata = {"namespace": "default", **body["metadata"]}
    taken = kubectl.try_apply({**body, "metadata": metadata}, "--server-side")
    SPECS[body["kind"]].model_validate(taken["spec"])
