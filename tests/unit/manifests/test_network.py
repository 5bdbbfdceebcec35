"""The network policies: every connection that the parts need is there, and no other is.

The pods bear the labels that our own manifests give them.
"""

import copy
import dataclasses
import json
from typing import Any

import pytest
from manifests.installer import network
from manifests.installer.store import MINIO, Place
from tests.unit.deployment.scene import package
from tests.unit.manifests.connections import Network, Peer
from tests.unit.manifests.documents import Body, objects, pod_templates
from tests.unit.manifests.test_install import Recorder

from tidemill.api.v1alpha1.model_deployment import ModelDeploymentSpec
from tidemill.deployment.access import HEALTH_PORT
from tidemill.deployment.manifests import GRPC_PORT, HTTP_PORT, deployment_manifest
from tidemill.deployment.observed import Target
from tidemill.jobs.manifests import RunnerJob, job_manifest
from tidemill.jobs.ranks import Ranks
from tidemill.kube.resources import NETWORK_POLICIES
from tidemill.settings import Settings

TEAM, OTHER, SYSTEM = "team", "other", "tidemill-system"
S3, PROGRESS = 9000, Settings(all_namespaces=True).port
DATA = Settings(all_namespaces=True).data_port
FEATURES = {"online": {"address": "redis.team.svc:6379"}}


def child(name: str, kind: str, verb: str, namespace: str = TEAM, **changes: Any) -> Peer:
    parent = {"metadata": {"name": "p", "namespace": namespace, "uid": "u1"}}
    job = job_manifest(parent, RunnerJob(kind, "j", verb, "i", None, 60, **changes))
    return Peer(name, namespace, job["spec"]["template"]["metadata"]["labels"])


def server(name: str, **spec: Any) -> Peer:
    parent = {"metadata": {"name": "m", "namespace": TEAM, "uid": "u2"}}
    model = ModelDeploymentSpec.model_validate({"model": package("a"), **spec})
    target = Target(**package("a"))
    made = deployment_manifest(parent, model, target, "i")["spec"]["template"]
    (container,) = made["spec"]["containers"]
    ports = [HTTP_PORT, GRPC_PORT] if model.grpc == "Enabled" else [HTTP_PORT]
    assert [port["containerPort"] for port in container["ports"]] == ports
    return Peer(name, TEAM, made["metadata"]["labels"])


def ours(name: str) -> Peer:
    return Peer(name, SYSTEM, pod_templates()[name]["metadata"]["labels"])


INGEST = child("ingest", "Dataset", "ingest")
INGEST_OUTSIDE = child("ingest of a far source", "Dataset", "ingest", outside=True)
MATERIALISE = child("materialise", "Dataset", "materialise", outside=True)
TRAIN = child("train", "TrainingRun", "train")
SHARE = child("a pod of several that ingest", "Dataset", "ingest", workers=2)
SEARCH = child("a pod of several that search", "TrainingRun", "train", workers=2)
RANK = child("a rank of a user's code", "TrainingRun", "train", workers=2, ranks=Ranks("j", "s", 2))
SERVER = server("server")
SERVER_WITH_FEATURES = server("server with features", features=FEATURES, grpc="Enabled")
CHILDREN = [
    *(INGEST, INGEST_OUTSIDE, MATERIALISE, TRAIN, SHARE, SEARCH, RANK),
    *(SERVER, SERVER_WITH_FEATURES),
]
FAR = [INGEST_OUTSIDE, MATERIALISE, SERVER_WITH_FEATURES]
NEAR = [one for one in CHILDREN if one not in FAR]
OPERATOR, STORE, SETUP = ours("tidemill-operator"), ours("minio"), ours("minio-setup")
DNS = Peer("DNS", "kube-system", {"k8s-app": "kube-dns"})
STRANGER = Peer("a pod of somebody's", OTHER, {"app": "x"})
NEIGHBOUR = Peer("a pod beside", TEAM, {"app": "y"})
API_SERVER = Peer("API server", ip="172.18.0.2")
API_SERVICE = Peer("its Service", ip="10.96.0.1")
METADATA = Peer("metadata", ip="169.254.169.254")
INTERNET = Peer("elsewhere", ip="203.0.113.9")
KNOWN = {
    "service/kubernetes": {"spec": {"clusterIPs": [API_SERVICE.ip]}},
    "endpointslices/-l": {"items": [{"endpoints": [{"addresses": [API_SERVER.ip]}]}]},
}


def policies(place: Place = MINIO, *, patched: bool = True) -> tuple[Body, ...]:
    """The policies as they are installed, for two namespaces of users and for ours."""
    changes = {}
    if patched:
        kubectl = Recorder(there=KNOWN)
        found = network.patches(kubectl, place, in_cluster=place is MINIO)
        changes = {one["metadata"]["name"]: one["spec"] for one in found}
    made = []
    for namespace in (TEAM, OTHER):
        for body in objects("network/namespace"):
            one = copy.deepcopy(body)
            one["metadata"]["namespace"] = namespace
            one["spec"].update(changes.get(one["metadata"]["name"], {}))
            made.append(one)
    return (*made, *objects("network/system"))


def connection(source: Peer, target: Peer, port: int, protocol: str = "TCP") -> Any:
    values = (source, target, port, protocol)
    return pytest.param(*values, id=f"{source.name} to {target.name}:{port}/{protocol}")


NEEDED = [
    *(connection(one, DNS, 53, how) for one in CHILDREN for how in ("UDP", "TCP")),
    *(connection(one, STORE, S3) for one in (*CHILDREN, OPERATOR, SETUP)),
    *(connection(one, OPERATOR, PROGRESS) for one in (INGEST, INGEST_OUTSIDE, MATERIALISE, TRAIN)),
    *(connection(one, one, 40123) for one in (SHARE, SEARCH, RANK)),
    *(connection(one, INTERNET, 443) for one in (*FAR, OPERATOR)),
    *(connection(one, SERVER, HTTP_PORT) for one in (STRANGER, NEIGHBOUR, INTERNET)),
    connection(NEIGHBOUR, SERVER_WITH_FEATURES, GRPC_PORT),
    connection(OPERATOR, API_SERVER, 6443),
    connection(OPERATOR, API_SERVICE, 443),
    connection(OPERATOR, STRANGER, 5432),
    *(connection(OPERATOR, SERVER, port) for port in (HTTP_PORT, HEALTH_PORT)),  # of several models
    connection(OPERATOR, DNS, 53, "UDP"),
    connection(SETUP, DNS, 53, "UDP"),
    connection(API_SERVER, OPERATOR, DATA),
    connection(STRANGER, OPERATOR, PROGRESS),
    connection(NEIGHBOUR, METADATA, 80),  # no pod of ours: no matter of ours
]
FORBIDDEN = [
    *(connection(one, METADATA, 80) for one in (*CHILDREN, OPERATOR, STORE, SETUP)),
    *(connection(one, API_SERVER, 6443) for one in (*CHILDREN, STORE, SETUP)),
    *(connection(one, API_SERVICE, 443) for one in (*CHILDREN, STORE, SETUP)),
    *(connection(one, INTERNET, 443) for one in (*NEAR, STORE, SETUP)),
    *(connection(one, STRANGER, 5432) for one in (*NEAR, STORE)),
    *(connection(one, NEIGHBOUR, 5432) for one in NEAR),
    *(connection(one, OPERATOR, DATA) for one in NEAR),
    *(connection(STRANGER, one, 40123) for one in (INGEST, TRAIN, MATERIALISE)),
    *(connection(NEIGHBOUR, one, 40123) for one in (INGEST, TRAIN, SERVER)),
    *(connection(one, STORE, S3) for one in (STRANGER, NEIGHBOUR, INTERNET)),
    connection(SERVER, OPERATOR, PROGRESS),
    connection(TRAIN, child("another run", "TrainingRun", "train"), 40123),
    connection(TRAIN, SERVER, HTTP_PORT),
    connection(INGEST, child("an ingest elsewhere", "Dataset", "ingest", OTHER), 40123),
    connection(SHARE, SHARE, 22),
    connection(RANK, RANK, 22),
    *(connection(RANK, one, 40123) for one in (SHARE, SEARCH)),
    *(connection(one, RANK, 40123) for one in (SHARE, SEARCH, TRAIN)),
    connection(INGEST, INGEST_OUTSIDE, 40123),
    *(connection(one, INGEST, 40123) for one in (SHARE, SEARCH, TRAIN)),
    connection(INTERNET, OPERATOR, PROGRESS),
    connection(STRANGER, STORE, 22),
]


@pytest.mark.parametrize(("source", "target", "port", "protocol"), NEEDED)
def test_needed(source: Peer, target: Peer, port: int, protocol: str) -> None:
    """Also where a network does not take a pod's address for one of a block."""
    assert Network(policies(), blocks_match_pods=False).lets(source, target, port, protocol)


@pytest.mark.parametrize(("source", "target", "port", "protocol"), FORBIDDEN)
def test_forbidden(source: Peer, target: Peer, port: int, protocol: str) -> None:
    """Also where a network does."""
    assert not Network(policies(), blocks_match_pods=True).lets(source, target, port, protocol)


def test_a_store_of_ones_own_is_reached_on_its_port_alone() -> None:
    place = dataclasses.replace(MINIO, endpoint="https://s3.example.org")
    made = Network(policies(place), blocks_match_pods=True)
    for one in CHILDREN:
        assert made.lets(one, INTERNET, 443)
        assert not made.lets(one, API_SERVICE, 443)
        assert not made.lets(one, METADATA, 443)
    assert not made.lets(TRAIN, INTERNET, 80)


@pytest.mark.parametrize("host", ["s3.storage.svc", "s3.storage.svc.cluster.local"])
def test_a_store_within_the_cluster_is_reached_whatever_port_its_pods_have(host: str) -> None:
    place = dataclasses.replace(MINIO, endpoint=f"http://{host}:80")
    made = Network(policies(place), blocks_match_pods=False)
    store = Peer("store", "storage", {"app": "s3"})
    for one in CHILDREN:
        assert made.lets(one, store, 8333)
    assert not made.lets(TRAIN, Peer("store", "elsewhere", {"app": "s3"}), 8333)
    assert not made.lets(TRAIN, INTERNET, 80)
    assert not made.lets(TRAIN, API_SERVER, 6443)


def test_without_the_installer_only_the_api_server_is_not_told_from_elsewhere() -> None:
    plain = Network(policies(patched=False), blocks_match_pods=True)
    assert not plain.lets(TRAIN, API_SERVER, 6443)
    assert not plain.lets(INGEST_OUTSIDE, METADATA, 80)
    assert plain.lets(INGEST_OUTSIDE, API_SERVER, 6443), "docs say so"


def test_every_policy_selects_a_pod_of_ours() -> None:
    pods = [*CHILDREN, OPERATOR, STORE, SETUP]
    for one in (p for p in policies() if p["metadata"]["namespace"] != OTHER):
        alone = Network((one,), blocks_match_pods=True)
        shut = [p for p in pods if not (alone.lets(p, METADATA, 1) and alone.lets(METADATA, p, 1))]
        assert shut, f"{one['metadata']['name']} selects nothing"


class TestInstaller:
    def test_addresses_of_the_api_server(self) -> None:
        found = network.api_server(Recorder(there=KNOWN))
        assert found == [f"{API_SERVICE.ip}/32", f"{API_SERVER.ip}/32"]

    def test_an_address_of_version_6(self) -> None:
        there = {"service/kubernetes": {"spec": {"clusterIPs": ["fd00::1"]}}}
        (patch,) = network.patches(Recorder(there=there), MINIO, in_cluster=True)
        (rule,) = patch["spec"]["egress"]
        four, six = (peer["ipBlock"] for peer in rule["to"])
        assert "fd00::1/128" in six["except"]
        assert "fd00::1/128" not in four["except"]

    @pytest.mark.parametrize(
        ("endpoint", "port"),
        [
            pytest.param("https://s3.example.org", 443, id="https"),
            pytest.param("http://s3.example.org", 80, id="http"),
            pytest.param("http://s3.example.org:9000", 9000, id="said"),
        ],
    )
    def test_port_of_a_store(self, endpoint: str, port: int) -> None:
        place = dataclasses.replace(MINIO, endpoint=endpoint)
        _, patch = network.patches(Recorder(), place, in_cluster=False)
        assert patch["metadata"]["name"] == "tidemill-store"
        assert patch["spec"]["egress"][0]["ports"] == [{"protocol": "TCP", "port": port}]

    @pytest.mark.parametrize(
        ("closed", "gone"),
        [
            pytest.param(("a",), ["b"], id="one less"),
            pytest.param((), ["a", "b", SYSTEM], id="none"),
        ],
    )
    def test_others_are_withdrawn(self, closed: tuple[str, ...], gone: list[str]) -> None:
        items = [{"metadata": {"namespace": name}} for name in ("a", "b", SYSTEM)]
        kubectl = Recorder(there={"networkpolicies/-A": {"items": items}})
        network.withdraw_others(kubectl, closed)
        deleted = [one for one in kubectl.done if one[0] == "delete"]
        assert [one[one.index("-n") + 1] for one in deleted] == gone
        assert all(network.LABEL in one for one in deleted)


def test_names_are_those_that_the_installer_changes() -> None:
    names = {body["metadata"]["name"] for body in objects("network/namespace")}
    place = dataclasses.replace(MINIO, endpoint="https://s3.example.org")
    changed = network.patches(Recorder(), place, in_cluster=False)
    assert {one["metadata"]["name"] for one in changed} <= names
    assert {json.dumps([o["apiVersion"], o["kind"]]) for o in changed} == {
        json.dumps([NETWORK_POLICIES.api_version, NETWORK_POLICIES.kind])
    }
