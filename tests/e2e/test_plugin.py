"""`kubectl tidemill` on the real cluster, by people who have no more than Kubernetes' own roles.

The plugin goes the whole way: a token by TokenRequest, the API server's proxy, TokenReview, the
bucket.
"""

import hashlib
import json
from pathlib import Path

import pytest
import yaml
from tests.apiserver.kubectl import Kubectl, RefusedError
from tests.e2e import specs
from tests.e2e.plugin import plugin, user
from tests.e2e.raw_store import SYSTEM, RawStore
from tests.e2e.test_path import rows
from tests.e2e.world import World, condition, settled, temporary_namespace

from tidemill.cli.cluster import Cluster, Place

PROXY = f"/api/v1/namespaces/{SYSTEM}/services"
CHECKS = [{"name": "a-is-small", "expression": "a < 100"}]


@pytest.fixture
def editor(world: World, tmp_path: Path) -> Path:
    return user(world, "editor", "edit", tmp_path)


def test_versions_are_listed_compared_read_and_fetched(
    world: World, raw: RawStore, editor: Path, tmp_path: Path
) -> None:
    prefix = f"{world.namespace}/"
    raw.put(f"{prefix}one.csv", rows(40))
    world.apply("Dataset", "data", {**specs.dataset(prefix), "checks": CHECKS})
    first = world.wait_ready("Dataset", "data")["status"]["version"]
    raw.put(f"{prefix}deep/two.csv", rows(400))
    second = world.wait(
        "Dataset", "data", lambda b: settled(b) and b["status"]["version"] != first
    )["status"]["version"]
    raw.put(f"{prefix}deep/two.csv", "a,b,label\n1000,1,up\n")
    body = world.wait_reason("Dataset", "data", "DeliveryRejected")
    rejected = body["status"]["rejected"]["version"]

    told = json.loads(plugin(world, editor, "history", "data", "-o", "json").out)["items"]
    assert [(item["version"], item["verdict"]) for item in told] == [
        (rejected, "Rejected"),
        (second, "InUse"),
        (first, "Accepted"),
    ]
    shown = plugin(world, editor, "history", "data")
    assert "spec.checks[0]" in shown.out
    assert max(map(len, shown.out.splitlines())) <= 80

    target = tmp_path / "data"
    assert plugin(world, editor, "get", "data", "-o", str(target)).code == 0
    files = {str(f.relative_to(target)) for f in target.rglob("*") if f.is_file()}
    assert files == {"one.csv", "deep/two.csv"}
    digest = hashlib.sha256(rows(400).encode()).hexdigest()
    assert hashlib.sha256((target / "deep/two.csv").read_bytes()).hexdigest() == digest
    again = plugin(world, editor, "get", "data", second[7:19], "-o", str(target))
    assert "(2 were there)" in again.out

    change = json.loads(plugin(world, editor, "diff", "data", first, "-o", "json").out)
    assert (change["before"]["rows"], change["after"]["rows"]) == (40, 440)
    assert "Rows" in [one["kind"] for one in change["changes"]]
    report = tmp_path / "report.html"
    assert plugin(world, editor, "report", "data", "rejected", "-o", str(report)).code == 0
    assert "a-is-small" in report.read_text()


def test_a_proposed_schema_is_taken_and_the_data_fits_it(
    world: World, raw: RawStore, editor: Path
) -> None:
    raw.put(f"{world.namespace}/one.csv", rows(60))
    spec = specs.dataset(f"{world.namespace}/")
    world.apply("Dataset", "data", spec)
    before = world.wait_ready("Dataset", "data")["status"]["version"]
    proposed = yaml.safe_load(plugin(world, editor, "schema", "data").out)
    world.apply("Dataset", "data", {**spec, **proposed})
    body = world.wait_ready("Dataset", "data")
    assert body["status"]["version"] == before
    assert not condition(body, "Stalled")


def test_who_may_not_read_does_not(
    world: World, raw: RawStore, editor: Path, kubectl: Kubectl, tmp_path: Path
) -> None:
    raw.put(f"{world.namespace}/one.csv", rows(40))
    world.apply("Dataset", "data", specs.dataset(f"{world.namespace}/"))
    world.wait_ready("Dataset", "data")
    viewer = user(world, "viewer", "view", tmp_path)
    ended = plugin(world, viewer, "history", "data")
    assert (ended.code, ended.out) == (3, "")
    assert "edit" in ended.err

    with temporary_namespace(kubectl, f"{world.namespace}-not") as other:
        refused = plugin(other, editor, "history", "data")
        assert (refused.code, refused.out) == (3, "")
        # With a good token of the one namespace, the other's data all the same.
        token = other.kubectl(
            "create", "token", "default", "-n", other.namespace, "--audience=tidemill.dev"
        )
        path = f"{PROXY}/http:tidemill-data:8082/proxy/v1/namespaces/{world.namespace}"
        status = ask(kubectl, world, f"{path}/datasets/data/versions", token.strip())
        assert status == 403
        assert ask(kubectl, world, f"{path}/datasets/data/versions", "") == 401


def ask(kubectl: Kubectl, world: World, path: str, token: str) -> int:
    """Ask through the API server with a token of one's own choosing; gives the status."""
    cluster = Cluster(Place(world.namespace, kubeconfig=str(kubectl.kubeconfig)))
    answer = cluster.open("GET", path, headers={"X-Tidemill-Token": token})
    answer.close()
    return int(answer.status)


def test_the_way_in_leads_to_the_data_port_alone(world: World, editor: Path) -> None:
    theirs = Kubectl(world.kubectl.program, editor)
    for service, path in (
        ("http:tidemill-operator:8080", "metrics"),
        ("tidemill-operator:8080", "metrics"),
        ("http:tidemill-data:8080", "metrics"),
        ("tidemill-data", "v1"),
    ):
        with pytest.raises(RefusedError, match="orbidden"):
            theirs("get", "--raw", f"{PROXY}/{service}/proxy/{path}")
    # A token for the API server is none for the data port.
    data = f"{PROXY}/http:tidemill-data:8082/proxy/v1/namespaces/{world.namespace}"
    with pytest.raises(RefusedError, match=r"[Uu]nauthorized|must be logged in|401|token"):
        theirs("get", "--raw", f"{data}/datasets/data/versions")
