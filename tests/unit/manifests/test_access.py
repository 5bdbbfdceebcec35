"""The operator's rights are few, named, and the same in both modes; people's are by kind."""

from typing import Any

import pytest
import yaml
from tests.unit.manifests.documents import MANIFESTS, Body, objects

from tidemill.cli.data import SERVICE
from tidemill.policy import document
from tidemill.settings import Settings

ROLES = [
    body for body in objects("access", "base", "minio") if body["kind"] in ("Role", "ClusterRole")
]
OPERATOR = [role for role in ROLES if role["metadata"]["name"].startswith("tidemill-operator")]
(PROXY,) = (role for role in ROLES if role["metadata"]["name"] == "tidemill-data-proxy")
PEOPLE = [role for role in ROLES if role not in OPERATOR and role is not PROXY]

each_role = pytest.mark.parametrize("role", ROLES, ids=lambda role: role["metadata"]["name"])


def granted(roles: list[Body]) -> set[tuple[str, str, str]]:
    """Give all (group, resource, verb)."""
    return {
        (group, resource, verb)
        for role in roles
        for rule in role["rules"]
        for group in rule["apiGroups"]
        for resource in rule["resources"]
        for verb in rule["verbs"]
    }


def verbs(resource: str) -> set[str]:
    return {verb for _, name, verb in granted(OPERATOR) if name == resource}


def test_roles_are_found() -> None:
    assert len(OPERATOR) == 4
    assert len(PEOPLE) == 9


@each_role
def test_nothing_is_granted_by_wildcard(role: Body) -> None:
    for rule in role["rules"]:
        assert "nonResourceURLs" not in rule
        for words in rule.values():
            assert not [word for word in words if "*" in word]


@each_role
def test_nothing_lets_one_grant_more(role: Body) -> None:
    forbidden = {"escalate", "bind", "impersonate", "approve", "sign"}
    assert not {verb for _, _, verb in granted([role])} & forbidden
    groups = {group for group, _, _ in granted([role])}
    assert not groups & {"rbac.authorization.k8s.io", "certificates.k8s.io"}


@pytest.mark.parametrize(
    ("resource", "expected"),
    [
        pytest.param("secrets", {"get", "create", "delete"}, id="secrets, by name only"),
        pytest.param("persistentvolumeclaims", {"get"}, id="claims, by name only"),
        pytest.param(
            "services",
            {"get", "list", "watch", "create", "patch", "delete"},
            id="where models answer, and where pods that train together meet",
        ),
        pytest.param("pods", {"list"}, id="pods are looked at"),
        pytest.param("pods/log", {"get"}, id="logs"),
        pytest.param("pods/exec", set(), id="no exec"),
        pytest.param("configmaps", {"get"}, id="the policy, by name only"),
        pytest.param("nodes", set(), id="no nodes"),
        pytest.param("namespaces", set(), id="no namespaces"),
        pytest.param("serviceaccounts/token", set(), id="no tokens"),
        pytest.param("datasets", {"get", "list", "watch"}, id="specs are never written"),
        pytest.param("datasets/status", {"patch"}, id="status"),
        pytest.param("tokenreviews", {"create"}, id="whose a token is"),
        pytest.param("services/proxy", set(), id="no way into Services"),
        pytest.param("workloads", {"list"}, id="why a Job waits in Kueue's queue"),
        pytest.param("localqueues/pendingworkloads", {"get"}, id="at which place"),
        pytest.param("localqueues", set(), id="no queues"),
        pytest.param("leases", {"create", "get", "update"}, id="the lease"),
    ],
)
def test_operator_may(resource: str, expected: set[str]) -> None:
    assert verbs(resource) == expected


def test_the_lease_is_the_only_one_touched() -> None:
    (role,) = (role for role in OPERATOR if role["metadata"]["name"].endswith("-lease"))
    assert role["metadata"]["namespace"] == "tidemill-system"
    for rule in role["rules"]:
        # A name cannot restrict create: the object has none yet when that is checked.
        assert rule.get("resourceNames") == (
            None if rule["verbs"] == ["create"] else ["tidemill-operator"]
        )


def test_the_policy_is_the_only_config_map_read() -> None:
    rules = [
        rule for role in OPERATOR for rule in role["rules"] if "configmaps" in rule["resources"]
    ]
    assert [rule["resourceNames"] for rule in rules] == [[document.NAME]]
    (role,) = (role for role in OPERATOR if rules[0] in role["rules"])
    assert role["metadata"]["namespace"] == Settings(all_namespaces=True).lease_namespace


@pytest.mark.parametrize("kind", ["datasets", "trainingruns", "modeldeployments"])
@pytest.mark.parametrize(
    ("level", "label", "writes"),
    [
        ("viewer", "view", set()),
        ("editor", "edit", {"create", "update", "patch", "delete"}),
        ("admin", "admin", {"create", "update", "patch", "delete", "deletecollection"}),
    ],
    ids=["viewer", "editor", "admin"],
)
def test_people_may(kind: str, level: str, label: str, writes: set[str]) -> None:
    (role,) = (r for r in PEOPLE if r["metadata"]["name"] == f"tidemill-{kind[:-1]}-{level}")
    assert role["metadata"]["labels"] == {f"rbac.authorization.k8s.io/aggregate-to-{label}": "true"}
    assert granted([role]) == {
        *(("tidemill.dev", kind, verb) for verb in {"get", "list", "watch"} | writes),
        ("tidemill.dev", f"{kind}/status", "get"),
    }


def test_everybody_reaches_the_data_port_and_nothing_else() -> None:
    assert PROXY["metadata"]["namespace"] == "tidemill-system"
    (rule,) = PROXY["rules"]
    assert rule == {
        "apiGroups": [""],
        "resources": ["services/proxy"],
        "resourceNames": [SERVICE],
        "verbs": ["get"],
    }
    scheme, name, port = SERVICE.split(":")
    assert scheme == "http"
    (service,) = (b for b in objects("base") if b["metadata"]["name"] == name)
    (listed,) = service["spec"]["ports"]
    assert (service["kind"], str(listed["port"])) == ("Service", port)
    assert Settings(all_namespaces=True).data_port == listed["port"]


@pytest.mark.parametrize("name", ["tidemill-data-proxy", "tidemill-operator-token-review"])
def test_no_installation_withdraws_what_both_modes_need(name: str) -> None:
    found = [b for b in objects("base") if b["metadata"]["name"] == name]
    assert len(found) == 2, "a role and its binding"
    assert not any("tidemill.dev/access" in b["metadata"].get("labels", {}) for b in found)


def test_mode_of_namespaces_uses_the_same_rules() -> None:
    path = MANIFESTS / "overlays/namespaces/role/kustomization.yaml"
    body: dict[str, Any] = yaml.safe_load(path.read_text(encoding="utf-8"))
    assert body["resources"] == ["../../../access"]
    changed = [op["path"] for p in body["patches"] for op in yaml.safe_load(p["patch"])]
    assert sorted(changed) == ["/kind", "/kind", "/roleRef/kind"]
