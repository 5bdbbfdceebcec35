"""The samples of signed and imported packages are what the API takes and the server can use."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from tidemill.api.v1alpha1.model_deployment import ModelDeploymentSpec
from tidemill.api.v1alpha1.training_run import TrainingRunSpec
from tidemill.store import signing

FOLDER = Path(__file__).parents[3] / "manifests" / "samples" / "packages"
SPECS = {"TrainingRun": TrainingRunSpec, "ModelDeployment": ModelDeploymentSpec}
OBJECTS: list[dict[str, Any]] = [
    body
    for path in sorted(FOLDER.glob("*.yaml"))
    for body in yaml.safe_load_all(path.read_text(encoding="utf-8"))
]


@pytest.mark.parametrize("body", OBJECTS, ids=[one["metadata"]["name"] for one in OBJECTS])
def test_a_sample_is_read(body: dict[str, Any]) -> None:
    spec = SPECS[body["kind"]].model_validate(body["spec"])
    if isinstance(spec, ModelDeploymentSpec) and spec.model.verification:
        for pem in spec.model.verification.public_keys:
            signing.public_key(pem)


def test_they_show_a_signature_and_an_import() -> None:
    fields = [
        field for body in OBJECTS for field in (*body["spec"], *body["spec"].get("model", {}))
    ]
    assert {"signing", "verification"} <= set(fields)
    assert "import" in OBJECTS[0]["spec"]["estimator"]
