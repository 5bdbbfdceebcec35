"""What is in the Deployment and the Service of a model version, and how they are read back."""

import copy
import json
from typing import Any

import pytest
from tests.unit.children.world import NAMESPACE, SERVER
from tests.unit.deployment.scene import come_up, digest, package

from tidemill.api.v1alpha1.model_deployment import ModelDeploymentSpec
from tidemill.deployment.manifests import (
    address_of,
    deployment_manifest,
    deployment_name,
    revision_of,
    service_manifest,
)
from tidemill.deployment.observed import REVISION_LABEL, Target, view
from tidemill.kube.owners import OWNER_UID_LABEL

TARGET = Target(**package("a"))


def parent(name: str = "m") -> dict[str, Any]:
    return {"metadata": {"name": name, "namespace": NAMESPACE, "uid": "u1"}}


def made(name: str = "m", target: Target = TARGET, **changes: Any) -> dict[str, Any]:
    spec = ModelDeploymentSpec.model_validate({"model": package("a"), "replicas": 3, **changes})
    return deployment_manifest(parent(name), spec, target, SERVER)


def container(manifest: dict[str, Any]) -> dict[str, Any]:
    [found] = manifest["spec"]["template"]["spec"]["containers"]
    assert isinstance(found, dict)
    return found


def test_the_pod_is_restricted_and_has_no_api_token() -> None:
    spec = made()["spec"]["template"]["spec"]
    assert spec["automountServiceAccountToken"] is False
    assert spec["securityContext"]["runAsNonRoot"] is True
    assert container(made())["securityContext"]["readOnlyRootFilesystem"] is True
    assert container(made())["resources"]["limits"]["memory"]
    assert container(made())["image"] == SERVER
    assert "OPERATOR" not in json.dumps(made())


def test_the_server_is_told_what_to_load() -> None:
    told = {v["name"]: v["value"] for v in container(made())["env"]}
    assert told["TIDEMILL_MODEL_URI"] == package("a")["uri"]
    assert told["TIDEMILL_MODEL_DIGEST"] == digest("a")
    assert told["TIDEMILL_MODEL_NAME"] == "m"
    assert told["TIDEMILL_MODEL_VERSION"] == "a" * 12
    assert all(type(value) is str for value in told.values())


def test_the_page_can_be_switched_off_as_a_new_version() -> None:
    names = {variable["name"] for variable in container(made())["env"]}
    assert "TIDEMILL_PAGE" not in names
    told = {v["name"]: v["value"] for v in container(made(page="Disabled"))["env"]}
    assert told["TIDEMILL_PAGE"] == "Disabled"
    assert made(page="Enabled") == made()
    assert made(page="Disabled")["metadata"]["name"] != made()["metadata"]["name"]


def test_explanations_have_the_pipeline_answer_as_a_new_version() -> None:
    assert made(explain="Disabled") == made()
    assert "TIDEMILL_MAX_EXPLAINED_ROWS" not in {v["name"] for v in container(made())["env"]}
    told = {v["name"]: v["value"] for v in container(made(explain="Enabled"))["env"]}
    assert told["TIDEMILL_MAX_EXPLAINED_ROWS"] == "20"
    assert told["TIDEMILL_RUNTIME"] == "Explained"
    native = {
        v["name"]: v["value"] for v in container(made(explain="Enabled", runtime="Native"))["env"]
    }
    assert native["TIDEMILL_RUNTIME"] == "Native"
    assert made(explain="Enabled")["metadata"]["name"] != made()["metadata"]["name"]


def test_grpc_has_a_port_where_it_is_wanted_as_a_new_version() -> None:
    assert made(grpc="Disabled") == made()
    assert "TIDEMILL_GRPC_PORT" not in {variable["name"] for variable in container(made())["env"]}
    manifest = made(grpc="Enabled")
    told = {v["name"]: v["value"] for v in container(manifest)["env"]}
    [http, grpc] = container(manifest)["ports"]
    assert (http["name"], grpc["name"]) == ("http", "grpc")
    assert told["TIDEMILL_GRPC_PORT"] == str(grpc["containerPort"])
    assert manifest["metadata"]["name"] != made()["metadata"]["name"]
    [one] = service_manifest(parent(), "r")["spec"]["ports"]
    assert one["name"] == "http"
    [_, port] = service_manifest(parent(), "r", grpc=True)["spec"]["ports"]
    assert (port["name"], port["targetPort"], port["port"]) == ("grpc", "grpc", 9000)
    assert port["appProtocol"] == "kubernetes.io/h2c"


def test_no_request_is_lost_when_pods_come_and_go() -> None:
    spec = made()["spec"]
    assert spec["strategy"]["rollingUpdate"] == {"maxUnavailable": 0, "maxSurge": 1}
    told = {v["name"]: v["value"] for v in container(made())["env"]}
    grace = spec["template"]["spec"]["terminationGracePeriodSeconds"]
    assert int(told["TIDEMILL_DRAIN_SECONDS"]) < grace
    assert container(made())["readinessProbe"]["httpGet"]["path"] == "/v2/health/ready"
    assert container(made())["livenessProbe"]["httpGet"]["path"] == "/v2/health/live"


def test_a_slow_start_is_not_taken_for_a_dead_server() -> None:
    startup = container(made())["startupProbe"]
    assert startup["httpGet"]["path"] == "/v2/health/live"
    assert startup["periodSeconds"] * startup["failureThreshold"] >= 600


def test_the_service_selects_the_pods_of_one_revision() -> None:
    manifest = made()
    labels = manifest["spec"]["template"]["metadata"]["labels"]
    revision = labels[REVISION_LABEL]
    service = service_manifest(parent(), revision)
    assert service["spec"]["selector"].items() <= labels.items()
    assert service["spec"]["selector"] == {OWNER_UID_LABEL: "u1", REVISION_LABEL: revision}
    assert manifest["spec"]["selector"]["matchLabels"].items() <= labels.items()
    [port] = service["spec"]["ports"]
    assert port["targetPort"] == container(manifest)["ports"][0]["name"]


def test_another_model_is_another_deployment_beside_it() -> None:
    other = made(target=Target(**package("b")))
    assert other["metadata"]["name"] != made()["metadata"]["name"]
    assert other["spec"]["selector"] != made()["spec"]["selector"]


@pytest.mark.parametrize(
    ("changes", "same"),
    [
        ({"replicas": 9}, True),
        ({"suspend": True}, True),
        ({"rollout": {"strategy": "Replace"}}, True),
        ({"template": {"nodeSelector": {"disk": "fast"}}}, False),
        ({"template": {"resources": {"limits": {"memory": "2Gi"}}}}, False),
    ],
    ids=["size", "suspend", "rollout", "placement", "memory"],
)
def test_a_revision_is_of_what_shapes_the_pods(changes: dict[str, Any], same: bool) -> None:
    assert (made(**changes)["metadata"]["name"] == made()["metadata"]["name"]) is same
    assert made(**changes)["spec"]["replicas"] == changes.get("replicas", 3)


def test_a_field_of_a_later_version_moves_no_traffic() -> None:
    empty, explicit, none = (
        ModelDeploymentSpec.model_validate({"model": {"run": "r"}, **asked})
        for asked in (
            {"template": {}},
            {"template": {"tolerations": [], "resources": None}, "runtime": "Auto"},
            {},
        )
    )
    assert revision_of(TARGET, SERVER, empty) == revision_of(TARGET, SERVER, explicit)
    assert revision_of(TARGET, "another", none) != revision_of(TARGET, SERVER, none)


@pytest.mark.parametrize("name", ["m", "a" * 63, "a" * 253, "1.2.3"], ids=["1", "63", "253", "dot"])
def test_names_fit_and_the_address_is_the_services(name: str) -> None:
    manifest, service = made(name), service_manifest(parent(name), "r")
    assert len(manifest["metadata"]["name"]) <= 63
    assert len(service["metadata"]["name"]) <= 63
    assert address_of(parent(name)) == f"{service['metadata']['name']}.{NAMESPACE}.svc"
    assert manifest["metadata"]["name"] == deployment_name(
        parent(name), manifest["metadata"]["labels"][REVISION_LABEL]
    )
    for value in manifest["metadata"]["labels"].values():
        assert len(value) <= 63


def live(**status: int) -> dict[str, Any]:
    body = copy.deepcopy(made())
    body["metadata"].update(uid="du", generation=4)
    come_up(body)
    body["status"].update(status)
    return body


@pytest.mark.parametrize(
    ("status", "available"),
    [
        ({}, True),
        ({"readyReplicas": 2}, False),
        ({"updatedReplicas": 2}, False),
        ({"observedGeneration": 3}, False),
        ({"readyReplicas": 4, "replicas": 4}, True),
    ],
    ids=["all answer", "one does not", "one of another template", "not yet seen", "one too many"],
)
def test_available_is_when_every_pod_of_this_template_answers(
    status: dict[str, int], available: bool
) -> None:
    found = view(live(**status))
    assert found.available is available
    assert (found.replicas, found.target) == (3, TARGET)
    assert found.revision == made()["metadata"]["labels"][REVISION_LABEL]


def test_a_deployment_just_made_is_not_available() -> None:
    body = live()
    del body["status"]
    assert (view(body).available, view(body).ready) == (False, 0)


def test_the_model_is_read_from_what_the_pods_are_told() -> None:
    body = live()
    body["metadata"]["annotations"] = {}
    body["metadata"]["labels"] = None
    assert (view(body).target, view(body).revision) == (TARGET, "")
    container(body)["env"] = []
    assert view(body).target == Target("", "")
