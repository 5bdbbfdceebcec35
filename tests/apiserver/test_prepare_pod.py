"""The Job around a container of the user's, as the API server takes it: whole, and restricted."""

from typing import Any

import pytest
from tests.apiserver.kubectl import Kubectl
from tests.unit.jobs.test_between import container, job

Body = dict[str, Any]
NAMESPACE = "prepare-pod"
CONTAINER = container(
    command=["sh", "-c"],
    args=["cp $TIDEMILL_IN/source/* $TIDEMILL_OUT"],
    env=[{"name": "A", "value": "1"}],
)


@pytest.fixture(scope="module", autouse=True)
def _restricted(kubectl: Kubectl) -> None:
    labels = {"pod-security.kubernetes.io/enforce": "restricted"}
    metadata = {"name": NAMESPACE, "labels": labels}
    kubectl.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": metadata})


def placed(body: Body) -> Body:
    metadata = {k: v for k, v in body["metadata"].items() if k != "ownerReferences"}
    return {**body, "metadata": {**metadata, "namespace": NAMESPACE}}


def test_the_job_is_taken_with_its_policy_for_three_containers(kubectl: Kubectl) -> None:
    taken = kubectl.apply(placed(job(CONTAINER)))
    rules = taken["spec"]["podFailurePolicy"]["rules"]
    assert len(rules) == 6
    [last] = [r for r in rules if (r.get("onExitCodes") or {}).get("containerName") == "prepare"]
    assert last["onExitCodes"]["operator"] == "NotIn"
    spec = taken["spec"]["template"]["spec"]
    assert [c["name"] for c in spec["initContainers"]] == ["collect", "prepare"]


def test_its_pod_is_taken_where_only_restricted_ones_are(kubectl: Kubectl) -> None:
    template = job(CONTAINER)["spec"]["template"]
    service_account = {"apiVersion": "v1", "kind": "ServiceAccount"}
    kubectl.apply({**service_account, "metadata": {"name": "default", "namespace": NAMESPACE}})
    metadata = {**template["metadata"], "name": "pod"}
    body = {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": template["spec"]}
    taken = kubectl.apply(placed(body))
    assert [c["image"] for c in taken["spec"]["initContainers"]][1] == CONTAINER.image
    for found in (*taken["spec"]["initContainers"], *taken["spec"]["containers"]):
        assert not [m for m in found["volumeMounts"] if "serviceaccount" in m["mountPath"]]
