"""Addresses of resources."""

import pytest

from tidemill.engine.errors import Bug
from tidemill.kube import resources
from tidemill.kube.resources import JOBS, NODES, PODS, Resource


@pytest.mark.parametrize(
    ("resource", "namespace", "name", "path"),
    [
        (PODS, None, None, "/api/v1/pods"),
        (PODS, "n", None, "/api/v1/namespaces/n/pods"),
        (PODS, "n", "p", "/api/v1/namespaces/n/pods/p"),
        (JOBS, "n", "j", "/apis/batch/v1/namespaces/n/jobs/j"),
        (NODES, None, "x", "/api/v1/nodes/x"),
        (NODES, "ignored", "x", "/api/v1/nodes/x"),
    ],
)
def test_path(resource: Resource, namespace: str | None, name: str | None, path: str) -> None:
    assert resource.path(namespace, name) == path


@pytest.mark.parametrize("resource", resources.ALL, ids=str)
def test_a_manifest_leads_to_its_resource(resource: Resource) -> None:
    body = {"apiVersion": resource.api_version, "kind": resource.kind}
    assert resources.of(body) is resource


def test_an_unknown_manifest_is_a_bug() -> None:
    with pytest.raises(Bug, match="apps/v2 Thing"):
        resources.of({"apiVersion": "apps/v2", "kind": "Thing"})
