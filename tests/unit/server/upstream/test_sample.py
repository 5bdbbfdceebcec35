"""The sample of a container, run as its pod would run it, behind the server as it is told of it."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from tests.support.children import with_parent
from tests.support.ports import free_port
from tests.unit.children.world import SERVER
from tests.unit.server.servers import started

from tidemill.api.v1alpha1.model_deployment import ModelDeploymentSpec
from tidemill.deployment.behind import target_of
from tidemill.deployment.manifests import deployment_manifest
from tidemill.deployment.observed import Target

SAMPLE = Path(__file__).parents[4] / "manifests/samples/container/modeldeployment.yaml"


@pytest.fixture(scope="module")
def pod() -> dict[str, dict[str, str]]:
    """What each container of the sample's pod is told; the user's listens on a free port."""
    body = yaml.safe_load(SAMPLE.read_text(encoding="utf-8"))
    body["spec"]["model"]["container"]["port"] = free_port()
    spec = ModelDeploymentSpec.model_validate(body["spec"])
    assert spec.model.container is not None
    target = target_of(spec.model.container)
    assert isinstance(target, Target)
    parent = {"metadata": {**body["metadata"], "namespace": "default", "uid": "u1"}}
    found = deployment_manifest(parent, spec, target, SERVER)["spec"]["template"]["spec"]
    both = (*found["initContainers"], *found["containers"])
    return {c["name"]: {one["name"]: one["value"] for one in c["env"]} for c in both}


def test_it_answers_through_the_server(pod: dict[str, dict[str, str]], tmp_path: Path) -> None:
    spec = yaml.safe_load(SAMPLE.read_text(encoding="utf-8"))["spec"]
    [program] = spec["model"]["container"]["args"]
    variables = {"PATH": os.environ["PATH"], **pod["model"]}
    told = {name: value for name, value in pod["server"].items() if name != "PORT"}
    digest = told.pop("TIDEMILL_MODEL_DIGEST")
    users = subprocess.Popen(with_parent(sys.executable, "-c", program), env=variables)
    try:
        with started(tmp_path, digest, **told) as server:
            server.ready()
            reply = server.request("POST", "/fahrenheit", {"celsius": 21})
            assert (reply.status, reply.json) == (200, {"fahrenheit": pytest.approx(69.8)})
            assert reply.headers["x-tidemill-model-name"] == "thermometer"
            assert server.get("/elsewhere").status == 404
    finally:
        users.kill()
        users.wait()
