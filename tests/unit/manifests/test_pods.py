"""Every pod of the manifests is restricted, bounded, and of an image that the installation pins."""

import pytest
from tests.unit.manifests.documents import Body, objects, pod_templates

TEMPLATES = pod_templates()
each_pod = pytest.mark.parametrize("template", TEMPLATES.values(), ids=TEMPLATES)


def container(template: Body) -> Body:
    (found,) = template["spec"]["containers"]
    return dict(found)


def test_pods_are_found() -> None:
    assert set(TEMPLATES) == {"tidemill-operator", "minio", "minio-setup"}


@each_pod
def test_pod_is_restricted(template: Body) -> None:
    security = template["spec"]["securityContext"]
    assert security["runAsNonRoot"] is True
    assert security["runAsUser"] == 65532
    assert security["seccompProfile"] == {"type": "RuntimeDefault"}
    assert not {"hostNetwork", "hostPID", "hostIPC"} & set(template["spec"])
    assert container(template)["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }


@each_pod
def test_resources_are_bounded(template: Body) -> None:
    resources = container(template)["resources"]
    assert set(resources["requests"]) == {"cpu", "memory"}
    assert "memory" in resources["limits"]


@each_pod
def test_scratch_is_bounded(template: Body) -> None:
    for volume in template["spec"]["volumes"]:
        if "emptyDir" in volume:
            assert volume["emptyDir"]["sizeLimit"]


@each_pod
def test_image_is_a_placeholder_that_the_installation_replaces(template: Body) -> None:
    assert container(template)["image"] in {
        "tidemill/operator",
        "tidemill/runner",
        "tidemill/minio",
    }


@each_pod
def test_only_the_operator_talks_to_the_api_server(template: Body) -> None:
    is_operator = template is TEMPLATES["tidemill-operator"]
    assert template["spec"].get("automountServiceAccountToken", True) is is_operator


@each_pod
def test_no_service_links_get_into_the_environment(template: Body) -> None:
    assert template["spec"]["enableServiceLinks"] is False


def test_no_secret_stands_in_a_file() -> None:
    folders = (
        "foundation",
        "base",
        "access",
        "minio",
        "minio/setup",
        "samples/elec2",
        "samples/features",
        "samples/features-online",
        "samples/record",
        "samples/judgement",
        "samples/scripts",
        "samples/scale",
        "samples/container",
        "samples/protocol",
        "samples/traces",
        "samples/training",
    )
    assert [b["metadata"]["name"] for b in objects(*folders) if b["kind"] == "Secret"] == []


def test_operator_is_replaced_not_doubled() -> None:
    (body,) = (b for b in objects("base") if b["kind"] == "Deployment")
    assert body["spec"]["replicas"] == 1
    assert body["spec"]["strategy"] == {"type": "Recreate"}


def test_namespace_enforces_restricted_pods() -> None:
    (body,) = (b for b in objects("foundation") if b["kind"] == "Namespace")
    assert body["metadata"]["labels"]["pod-security.kubernetes.io/enforce"] == "restricted"


def test_settings_in_the_environment_exist() -> None:
    from tidemill.settings import PREFIX, Settings

    env = container(TEMPLATES["tidemill-operator"])["env"]
    known = {f"{PREFIX}{name.upper()}" for name in Settings.__dataclass_fields__}
    overlays = {"TIDEMILL_ALL_NAMESPACES", "TIDEMILL_NAMESPACE"}
    assert {item["name"] for item in env} | overlays <= known
