"""The local cluster, from nothing to nothing: up, used, broken, repaired, down without a trace.

A machine can have one cluster, so these tests run when none is up. They share one cluster; each
leaves it running for the next, and the last takes it down.
"""

import json
import os
import signal
import stat
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from tests.cluster.localcluster import claim, images, machine
from tests.cluster.localcluster.cluster import COMPONENTS, FOLLOWERS
from tests.cluster.localcluster.layout import BRIDGE, Layout

ROOT = Path(__file__).resolve().parents[2]
PROGRAMS = ROOT / "tests" / "cluster"


pytestmark = pytest.mark.lifecycle

NAME = "lifecycle"
NAMESPACE = "cluster-test"
PROBE = "tidemill.dev/probe:1"
WATCHED = ("/etc", "/opt", "/run", "/usr/libexec", "/var/lib", "/var/log", "/sys/fs/cgroup")
UNWATCHED = ("/var/lib/apt", "/var/lib/dpkg", "/run/lock", "/run/containers", "/var/lib/containers")
RESTRICTED_POD = {
    "runAsNonRoot": True,
    "runAsUser": 1000,
    "fsGroup": 1000,
    "seccompProfile": {"type": "RuntimeDefault"},
}
RESTRICTED_CONTAINER = {
    "allowPrivilegeEscalation": False,
    "capabilities": {"drop": ["ALL"]},
    "readOnlyRootFilesystem": True,
}


def command(program: str, *arguments: str, check: bool = True) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(
        ["python3", str(PROGRAMS / program), *arguments],
        text=True,
        capture_output=True,
        check=False,
        timeout=300,
    )
    if check:
        assert done.returncode == 0, done.stderr
    return done


def status() -> dict[str, Any]:
    done = command("status.py", "--name", NAME, "--json", check=False)
    document: dict[str, Any] = json.loads(done.stdout)
    return document


def pids() -> dict[str, int]:
    return {name: one["pid"] for name, one in status()["components"].items()}


class Kubectl:
    """kubectl as the administrator of the cluster under test."""

    def __init__(self, layout: Layout) -> None:
        self._command = [layout.program("kubectl"), f"--kubeconfig={layout.kubeconfig}"]

    def __call__(self, *arguments: str, given: dict[str, Any] | None = None) -> str:
        text = None if given is None else json.dumps(given)
        done = subprocess.run(
            [*self._command, *arguments],
            input=text,
            text=True,
            capture_output=True,
            check=False,
            timeout=180,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    def apply(self, *bodies: dict[str, Any]) -> None:
        self("apply", "-f", "-", given={"apiVersion": "v1", "kind": "List", "items": [*bodies]})

    def wait(self, condition: str, what: str) -> None:
        self("wait", f"--for={condition}", what, f"--namespace={NAMESPACE}", "--timeout=120s")


def machine_state() -> dict[str, set[str]]:
    """All that a cluster could leave on the machine."""
    mounts = Path("/proc/self/mountinfo").read_text().splitlines()
    settings = (machine.SET | dict.fromkeys(machine.SET_BY_KUBELET)).keys()
    return {
        "mounts": {line.split()[4] for line in mounts},
        "links": {link.name for link in Path("/sys/class/net").iterdir()},
        "nft tables": machine.tables(),
        "settings": {
            f"{name}={path.read_text()}"
            for name in settings
            if (path := Path("/proc/sys", name)).exists()
        },
        "processes": set(cluster_processes()),
        "files": set(files()),
    }


def files() -> Iterator[str]:
    for root in WATCHED:
        for folder, _, names in os.walk(root):
            if not folder.startswith(UNWATCHED):
                yield folder
                # A control group's files are made by the kernel.
                yield from () if folder.startswith("/sys") else (f"{folder}/{n}" for n in names)


def cluster_processes() -> Iterator[str]:
    places = (str(Layout.of(NAME).cache / "bin"), "docker-registry")
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            text = (folder / "cmdline").read_text().replace("\0", " ")
        except OSError:
            continue
        if any(place in text for place in places):
            yield f"{folder.name} {text}"


@pytest.fixture(scope="module")
def before() -> dict[str, set[str]]:
    if (found := claim.read()) is not None:
        pytest.skip(f"the cluster {found['name']!r} is up: take it down to run these tests")
    command("build.py")
    return machine_state()


@pytest.fixture(scope="module")
def layout(before: dict[str, set[str]]) -> Iterator[Layout]:
    assert before["links"]  # the machine was looked at before anything is changed
    layout = Layout.of(NAME)
    try:
        command("up.py", "--name", NAME)
        yield layout
    finally:
        command("down.py", "--name", NAME)


@pytest.fixture(scope="module")
def kubectl(layout: Layout) -> Kubectl:
    probe = {"probe": Path(layout.program("probe"))}
    images.load(layout, images.Image(PROBE, probe, ("/probe",), {}))
    kubectl = Kubectl(layout)
    labels = {"pod-security.kubernetes.io/enforce": "restricted"}
    kubectl.apply(body("v1", "Namespace", NAMESPACE, {}, labels=labels))
    return kubectl


def body(
    version: str,
    kind: str,
    name: str,
    spec: dict[str, Any],
    *,
    labels: dict[str, str] | None = None,
) -> dict[str, Any]:
    metadata: dict[str, Any] = {"name": name, "labels": labels or {}}
    if kind != "Namespace":
        metadata["namespace"] = NAMESPACE
    return {"apiVersion": version, "kind": kind, "metadata": metadata, "spec": spec}


def pod(*arguments: str, image: str = PROBE, volume: str | None = None) -> dict[str, Any]:
    container: dict[str, Any] = {
        "name": "probe",
        "image": image,
        "imagePullPolicy": "IfNotPresent",
        "args": [*arguments],
        "securityContext": RESTRICTED_CONTAINER,
    }
    spec: dict[str, Any] = {"securityContext": RESTRICTED_POD, "containers": [container]}
    if volume is not None:
        container["volumeMounts"] = [{"name": "data", "mountPath": "/data"}]
        spec["volumes"] = [{"name": "data", "persistentVolumeClaim": {"claimName": volume}}]
    return spec


def job(name: str, *arguments: str, **rest: Any) -> dict[str, Any]:
    template = {"spec": pod(*arguments, **rest) | {"restartPolicy": "Never"}}
    return body("batch/v1", "Job", name, {"backoffLimit": 0, "template": template})


def run_job(kubectl: Kubectl, name: str, *arguments: str, **rest: Any) -> str:
    kubectl.apply(job(name, *arguments, **rest))
    kubectl.wait("condition=complete", f"job/{name}")
    log = kubectl("logs", f"job/{name}", f"--namespace={NAMESPACE}")
    return log.rpartition("\n")[2]  # lines before it are of tries without an answer


@pytest.mark.usefixtures("layout")
def test_up_makes_every_component_ready() -> None:
    document = status()
    assert document["running"]
    assert set(document["components"]) == set(COMPONENTS)
    assert all(one["ready"] for one in document["components"].values())
    assert Path(document["bin"], "kubectl").exists()


def test_administrators_kubeconfig_is_private(layout: Layout) -> None:
    assert stat.S_IMODE(layout.kubeconfig.stat().st_mode) == 0o600


@pytest.mark.usefixtures("layout")
def test_second_up_changes_nothing() -> None:
    earlier = pids()
    began = time.monotonic()
    command("up.py", "--name", NAME)
    assert pids() == earlier
    assert time.monotonic() - began < 10  # it is 0.5 s; far from that, it did something


@pytest.mark.parametrize(
    ("name", "state"),
    [("other", None), (NAME, "/nonexistent/tidemill")],
    ids=["another name", "the same name from another state folder"],
)
def test_second_cluster_is_refused(layout: Layout, name: str, state: str | None) -> None:
    environment = os.environ | ({"TIDEMILL_STATE": state} if state else {})
    done = subprocess.run(
        ["python3", str(PROGRAMS / "up.py"), "--name", name],
        env=environment,
        text=True,
        capture_output=True,
        check=False,
    )
    assert done.returncode == 1
    assert f"the cluster {NAME!r}" in done.stderr
    assert f"down.py --name {NAME}" in done.stderr
    assert not Path(state or layout.state.parent, name).exists() or name == NAME
    assert status()["running"]


def test_pod_resolves_a_service_and_keeps_its_data(kubectl: Kubectl) -> None:
    claim_spec = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}
    selector = {"app": "web"}
    kubectl.apply(body("v1", "PersistentVolumeClaim", "data", claim_spec))
    run_job(kubectl, "write", "write", "/data/page", "first", volume="data")
    run_job(kubectl, "write-again", "write", "/data/page", "second", volume="data")
    web = pod("serve", ":8080", "/data/page", volume="data")
    ports = [{"port": 80, "targetPort": 8080}]
    kubectl.apply(
        body("v1", "Pod", "web", web, labels=selector),
        body("v1", "Service", "web", {"selector": selector, "ports": ports}),
    )
    kubectl.wait("condition=Ready", "pod/web")
    for name, host in (("short", "web"), ("full", f"web.{NAMESPACE}.svc.cluster.local")):
        assert run_job(kubectl, f"ask-{name}", "get", f"http://{host}/") == "first"


def test_image_is_pulled_by_digest_from_the_registry(kubectl: Kubectl, layout: Layout) -> None:
    archive = layout.run / "pushed.tar"
    digest_file = layout.run / "digest"
    probe = {"probe": Path(layout.program("probe"))}
    images.write_archive(images.Image("pushed:1", probe, ("/probe",), {"link": "probe"}), archive)
    target = f"{status()['registry']}/lifecycle-test/probe"
    image = buildah("pull", "--quiet", f"oci-archive:{archive}").strip()
    try:
        buildah(
            "push", "--tls-verify=false", f"--digestfile={digest_file}", image, f"{target}:pushed"
        )
    finally:
        buildah("rmi", image)
    reference = f"{target}@{digest_file.read_text().strip()}"
    asked = run_job(kubectl, "pulled", "get", "http://web/", image=reference)
    assert asked == "first"


def buildah(*arguments: str) -> str:
    done = subprocess.run(
        ["buildah", *arguments], text=True, capture_output=True, check=False, timeout=60
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_job_for_fake_nodes_ends(kubectl: Kubectl) -> None:
    command("fake_nodes.py", "--nodes", "2", "--name", NAME)
    body = job("fake", "unused")
    body["spec"] |= {"completions": 20, "parallelism": 20}
    body["spec"]["template"]["spec"] |= {
        "nodeSelector": {"type": "kwok"},
        "tolerations": [{"key": "kwok.x-k8s.io/node", "operator": "Exists"}],
    }
    kubectl.apply(body)
    kubectl.wait("condition=complete", "job/fake")
    kubectl("delete", "job/fake", f"--namespace={NAMESPACE}", "--cascade=foreground")
    command("fake_nodes.py", "--nodes", "0", "--name", NAME)
    assert "kwok" not in status()["components"]


@pytest.mark.parametrize("component", ["etcd", "kube-apiserver", "containerd", "kubelet"])
def test_objects_and_pods_outlive_a_component(kubectl: Kubectl, component: str) -> None:
    earlier = pids()
    started = kubectl("get", "pod/web", f"--namespace={NAMESPACE}", "-o=jsonpath={.status}")
    command("component.py", "stop", component, "--name", NAME)
    assert not status()["running"]
    command("component.py", "start", component, "--name", NAME)
    changed = {name for name, pid in pids().items() if pid != earlier[name]}
    assert changed == {component, *FOLLOWERS.get(component, ())}
    assert run_job(kubectl, f"after-{component}", "get", "http://web/") == "first"
    now = kubectl("get", "pod/web", f"--namespace={NAMESPACE}", "-o=jsonpath={.status}")
    assert [one["restartCount"] for one in json.loads(now)["containerStatuses"]] == [0]
    assert json.loads(now)["podIP"] == json.loads(started)["podIP"]


def test_up_repairs_what_was_killed(kubectl: Kubectl) -> None:
    earlier = pids()
    for name in ("kube-scheduler", "kubelet"):
        os.kill(earlier[name], signal.SIGKILL)
    command("up.py", "--name", NAME)
    assert status()["running"]
    assert run_job(kubectl, "after-repair", "get", "http://web/") == "first"


def test_interrupted_up_is_finished_by_the_next(layout: Layout) -> None:
    command("down.py", "--name", NAME)
    first = subprocess.Popen(
        ["python3", str(PROGRAMS / "up.py"), "--name", NAME], stderr=subprocess.DEVNULL
    )
    record = layout.processes / "kube-apiserver.pid"
    while not record.exists() and first.poll() is None:
        time.sleep(0.02)
    first.kill()
    first.wait()
    interrupted = identity(record)
    command("up.py", "--name", NAME)
    assert status()["running"]
    assert identity(record) == interrupted  # what had been started was used


def identity(record: Path) -> str:
    return record.read_text().split()[1]


def test_down_leaves_nothing(layout: Layout, before: dict[str, set[str]]) -> None:
    kubectl = Kubectl(layout)
    probe = {"probe": Path(layout.program("probe"))}
    images.load(layout, images.Image(PROBE, probe, ("/probe",), {}))
    kubectl.apply(body("v1", "Namespace", NAMESPACE, {}))
    claim_spec = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}
    kubectl.apply(
        body("v1", "PersistentVolumeClaim", "data", claim_spec),
        body("v1", "Pod", "runs", pod("serve", ":8080", "/data/page", volume="data")),
    )
    kubectl.wait("condition=Ready", "pod/runs")
    assert Path("/sys/class/net", BRIDGE).exists()
    networks = [path for path in layout.run.rglob("netns/*") if path.is_file()]
    assert networks
    with ExitStack() as held:  # as on a busy machine, where the kernel takes its time to end them
        for path in networks:
            held.enter_context(path.open())
        command("down.py", "--name", NAME)
        after = machine_state()
    left = {what: sorted(after[what] - before[what]) for what in after}
    lost = {what: sorted(before[what] - after[what]) for what in after}
    assert {what: found for what, found in left.items() if found} == {}
    assert lost["settings"] + lost["links"] + lost["nft tables"] == []
