"""The manifests on a real API server: taken whole, restricted, and with just the rights meant."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from manifests.installer import network, removal, rights, store
from manifests.installer.images import Image
from manifests.installer.kubectl import Kubectl as InstallerKubectl
from manifests.installer.rendering import Renderer
from manifests.installer.store import MINIO
from tests.apiserver.crd_objects import minimal
from tests.apiserver.kubectl import Body, Kubectl, RefusedError

MANIFESTS = Path(__file__).parents[2] / "manifests"
SYSTEM = "tidemill-system"
SERVED = ("served-a", "served-b")
OPERATOR = f"--as=system:serviceaccount:{SYSTEM}:tidemill-operator"
DIGEST = "sha256:" + "0a" * 32
IMAGES = {
    name: Image(f"registry.example:5000/tidemill/{name}", DIGEST)
    for name in ("operator", "runner", "server", "minio")
}


@pytest.fixture(scope="module", autouse=True)
def _namespaces(kubectl: Kubectl) -> None:
    kubectl("apply", "-k", str(MANIFESTS / "foundation"))
    for name in ("demo", *SERVED):
        kubectl.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})


@pytest.fixture
def renderer(tmp_path: Path) -> Renderer:
    return Renderer(MANIFESTS, tmp_path, IMAGES)


def built(kubectl: Kubectl, folder: Path) -> list[Body]:
    return list(yaml.safe_load_all(kubectl("kustomize", str(folder))))


@pytest.mark.parametrize(
    "folder",
    ["overlays/cluster", "overlays/namespaces", "minio", "minio/setup", "network/system"],
)
def test_folder_is_taken(kubectl: Kubectl, folder: str) -> None:
    path = str(MANIFESTS / folder)
    kubectl("apply", "-k", path, "--server-side", "--dry-run=server", "--validate=strict")


@pytest.mark.parametrize("in_cluster", [True, False], ids=["MinIO", "own store"])
def test_network_policies_are_taken(kubectl: Kubectl, renderer: Renderer, in_cluster: bool) -> None:
    installer = InstallerKubectl(kubectl.program, (f"--kubeconfig={kubectl.kubeconfig}",))
    patches = network.patches(installer, MINIO, in_cluster=in_cluster)
    folder = renderer.network("demo", patches)
    flags = ("--server-side", "--dry-run=server", "--validate=strict", "-o", "json")
    taken = json.loads(kubectl("apply", "-k", str(folder), *flags))["items"]
    assert {item["metadata"]["namespace"] for item in taken} == {"demo"}
    (outside,) = (i for i in taken if i["metadata"]["name"] == "tidemill-outside")
    four = outside["spec"]["egress"][0]["to"][0]["ipBlock"]
    assert set(network.api_server(installer)) <= set(four["except"]), "it is there, and found"
    assert len(network.api_server(installer)) >= 1


SAMPLES = sorted((MANIFESTS / "samples").glob("*/*.yaml"))


@pytest.mark.parametrize("path", SAMPLES, ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_sample_is_taken(kubectl: Kubectl, path: Path) -> None:
    # A policy is the administrator's and names the operator's namespace itself.
    where = () if path.parent.name == "policy" else ("-n", "demo")
    kubectl("apply", *where, "-f", str(path), "--dry-run=server", "--validate=strict")


@pytest.mark.parametrize("folder", ["base", "minio", "minio/setup"])
def test_pod_passes_the_restricted_standard(kubectl: Kubectl, folder: str) -> None:
    for body in built(kubectl, MANIFESTS / folder):
        template = body.get("spec", {}).get("template")
        if template:
            kubectl.try_apply(pod(template))


def test_pod_that_is_not_restricted_is_refused(kubectl: Kubectl) -> None:
    (body,) = (b for b in built(kubectl, MANIFESTS / "base") if b["kind"] == "Deployment")
    del body["spec"]["template"]["spec"]["containers"][0]["securityContext"]
    with pytest.raises(RefusedError, match='violates PodSecurity "restricted'):
        kubectl.try_apply(pod(body["spec"]["template"]))


def pod(template: Body) -> Body:
    """Make a pod of a template; its account and its claims need not be there yet."""
    spec = {key: value for key, value in template["spec"].items() if key != "serviceAccountName"}
    named = {volume["name"] for volume in spec["volumes"]}
    mounted = {mount["name"] for mount in spec["containers"][0]["volumeMounts"]}
    claims = [{"name": name, "emptyDir": {}} for name in sorted(mounted - named)]
    spec["volumes"] = [*spec["volumes"], *claims]
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "tried", "namespace": SYSTEM},
        "spec": spec,
    }


@pytest.mark.parametrize("namespaces", [(), SERVED], ids=["whole cluster", "two namespaces"])
class TestRendered:
    def test_is_taken(
        self, kubectl: Kubectl, renderer: Renderer, namespaces: tuple[str, ...]
    ) -> None:
        folder = str(renderer.operator(MINIO, namespaces, "1-2"))
        kubectl("apply", "-k", folder, "--server-side", "--dry-run=server", "--validate=strict")

    def test_images_are_by_digest(
        self, kubectl: Kubectl, renderer: Renderer, namespaces: tuple[str, ...]
    ) -> None:
        container = self.container(kubectl, renderer.operator(MINIO, namespaces, "1-2"))
        env = {item["name"]: item.get("value") for item in container["env"]}
        assert container["image"] == str(IMAGES["operator"])
        assert env["TIDEMILL_RUNNER_IMAGE"] == str(IMAGES["runner"])
        assert env["TIDEMILL_SERVER_IMAGE"] == str(IMAGES["server"])

    def test_mode_is_said_once(
        self, kubectl: Kubectl, renderer: Renderer, namespaces: tuple[str, ...]
    ) -> None:
        container = self.container(kubectl, renderer.operator(MINIO, namespaces, "1-2"))
        env = {item["name"]: item.get("value") for item in container["env"]}
        modes = {k: v for k, v in env.items() if k.endswith(("NAMESPACES", "_NAMESPACE"))}
        modes.pop("TIDEMILL_LEASE_NAMESPACE")
        assert modes == (
            {"TIDEMILL_NAMESPACE": ",".join(namespaces)}
            if namespaces
            else {"TIDEMILL_ALL_NAMESPACES": "true"}
        )

    def container(self, kubectl: Kubectl, folder: Path) -> Body:
        (body,) = (b for b in built(kubectl, folder) if b["kind"] == "Deployment")
        (found,) = body["spec"]["template"]["spec"]["containers"]
        return dict(found)


def may(kubectl: Kubectl, verb: str, resource: str, namespace: str) -> bool:
    """Ask the API server what the operator may do; `pods:log` is the log of a pod."""
    try:
        name, _, part = resource.partition(":")
        flags = [f"--subresource={part}"] if part else []
        kubectl("auth", "can-i", verb, name, "-n", namespace, OPERATOR, *flags)
    except RefusedError:
        return False
    return True


RIGHTS = [
    ("list", "datasets.tidemill.dev"),
    ("patch", "trainingruns.tidemill.dev:status"),
    ("create", "jobs.batch"),
    ("patch", "deployments.apps"),
    ("get", "secrets"),
    ("get", "pods:log"),
]
NO_RIGHTS = [
    ("list", "secrets"),
    ("patch", "datasets.tidemill.dev"),
    ("create", "pods"),
    ("create", "pods:exec"),
    ("list", "nodes"),
    ("create", "roles.rbac.authorization.k8s.io"),
]


@pytest.fixture(scope="class")
def _roles_of_two(kubectl: Kubectl, tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    renderer = Renderer(MANIFESTS, tmp_path_factory.mktemp("build"), IMAGES)
    folder = str(renderer.operator(MINIO, SERVED, "1-2"))
    kubectl("apply", "-k", folder, "--server-side")
    yield
    for namespace in SERVED:
        kubectl("delete", "rolebinding", "tidemill-operator", "-n", namespace)


@pytest.mark.usefixtures("_roles_of_two")
class TestRightsInNamespaces:
    @pytest.mark.parametrize(("verb", "resource"), RIGHTS)
    def test_granted_where_it_serves_and_nowhere_else(
        self, kubectl: Kubectl, verb: str, resource: str
    ) -> None:
        asked = (*SERVED, "demo", SYSTEM)
        assert [ns for ns in asked if may(kubectl, verb, resource, ns)] == list(SERVED)

    @pytest.mark.parametrize(("verb", "resource"), NO_RIGHTS)
    def test_not_granted_even_there(self, kubectl: Kubectl, verb: str, resource: str) -> None:
        assert not may(kubectl, verb, resource, SERVED[0])

    @pytest.mark.parametrize("verb", ["get", "update", "create"])
    def test_lease(self, kubectl: Kubectl, verb: str) -> None:
        lease = "leases.coordination.k8s.io/tidemill-operator" if verb != "create" else "leases"
        assert may(kubectl, verb, lease, SYSTEM)
        assert not may(kubectl, verb, lease, SERVED[0])


@pytest.fixture(scope="class")
def _role_of_cluster(kubectl: Kubectl) -> Iterator[None]:
    kubectl("apply", "-k", str(MANIFESTS / "access"), "--server-side")
    yield
    kubectl("delete", "-k", str(MANIFESTS / "access"))


@pytest.mark.usefixtures("_role_of_cluster")
class TestRightsInTheCluster:
    @pytest.mark.parametrize(("verb", "resource"), RIGHTS)
    def test_granted_everywhere(self, kubectl: Kubectl, verb: str, resource: str) -> None:
        assert may(kubectl, verb, resource, "demo")

    @pytest.mark.parametrize(("verb", "resource"), NO_RIGHTS)
    def test_not_granted(self, kubectl: Kubectl, verb: str, resource: str) -> None:
        assert not may(kubectl, verb, resource, "demo")


@pytest.mark.parametrize(
    ("role", "verb", "allowed"),
    [
        ("view", "list", True),
        ("view", "create", False),
        ("edit", "create", True),
        ("edit", "deletecollection", False),
    ],
)
def test_people_get_their_rights_by_kubernetes_own_roles(
    kubectl: Kubectl, role: str, verb: str, *, allowed: bool
) -> None:
    # Aggregation is a controller's work: what it would take up is looked at.
    label = f"rbac.authorization.k8s.io/aggregate-to-{role}=true"
    kubectl("apply", "-f", str(MANIFESTS / "base/user-roles.yaml"))
    rules = [
        rule
        for item in kubectl.get("clusterroles", "-l", label)["items"]
        for rule in item["rules"] or ()
        if rule["apiGroups"] == ["tidemill.dev"]
    ]
    assert any(verb in rule["verbs"] for rule in rules) is allowed


def test_uninstall_leaves_objects_definitions_and_keys(
    kubectl: Kubectl, renderer: Renderer
) -> None:
    by_installer = InstallerKubectl(kubectl.program, (f"--kubeconfig={kubectl.kubeconfig}",))
    store.ensure_random_keys(by_installer)
    for folder in (renderer.operator(MINIO, (), "1-2"), renderer.minio()):
        by_installer.apply_folder(folder)
    kubectl.apply(minimal("Dataset", "kept"))

    removal.remove(by_installer, purge=False)

    part = ("-l", removal.PART)
    assert kubectl.get(removal.OWN_KINDS, "-n", SYSTEM, *part)["items"] == []
    assert kubectl.get(rights.CLUSTER_KINDS, *part)["items"] == []
    assert kubectl.get(rights.NAMESPACE_KINDS, "-A", *part)["items"] == []
    assert kubectl.get("dataset", "kept")["metadata"]["name"] == "kept"
    assert kubectl.get("secret", "tidemill-store", "-n", SYSTEM)
    kubectl("delete", "dataset", "kept")


def test_rights_follow_the_namespaces_served(kubectl: Kubectl, renderer: Renderer) -> None:
    by_installer = InstallerKubectl(kubectl.program, (f"--kubeconfig={kubectl.kubeconfig}",))

    def serve(*namespaces: str) -> tuple[list[str], list[str]]:
        by_installer.apply_folder(renderer.operator(MINIO, namespaces, "1-2"))
        rights.withdraw_others(by_installer, namespaces)
        found = kubectl.get("rolebindings,roles", "-A", "-l", rights.SELECTOR)["items"]
        cluster = kubectl.get(rights.CLUSTER_KINDS, "-l", rights.SELECTOR)["items"]
        names = [item["metadata"]["name"] for item in cluster]
        return sorted({item["metadata"]["namespace"] for item in found}), names

    assert serve("served-a", "served-b") == (["served-a", "served-b"], [])
    assert serve("served-b") == (["served-b"], [])
    assert serve() == ([], ["tidemill-operator"] * 2)
    assert serve("served-a") == (["served-a"], [])
    removal.remove(by_installer, purge=False)
