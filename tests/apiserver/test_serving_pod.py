"""The Deployment of a user's serving container as the API server takes it: restricted."""

from typing import Any

import pytest
from tests.apiserver.kubectl import Kubectl
from tests.apiserver.serving_rules import FULL, IMAGE
from tests.unit.children.world import NAMESPACE as PLACE
from tests.unit.children.world import SERVER

from tidemill.api.v1alpha1.model_deployment import ModelDeploymentSpec
from tidemill.deployment.behind import target_of
from tidemill.deployment.manifests import deployment_manifest
from tidemill.deployment.observed import Target

Body = dict[str, Any]
NAMESPACE = "serving-pod"
PARENT = {"metadata": {"name": "m", "namespace": PLACE, "uid": "u1"}}


@pytest.fixture(scope="module", autouse=True)
def _restricted(kubectl: Kubectl) -> None:
    labels = {"pod-security.kubernetes.io/enforce": "restricted"}
    metadata = {"name": NAMESPACE, "labels": labels}
    kubectl.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": metadata})


def deployment(**container: Any) -> Body:
    model = {"container": {"image": IMAGE, **container}}
    spec = ModelDeploymentSpec.model_validate({"model": model})
    assert spec.model.container is not None
    target = target_of(spec.model.container)
    assert isinstance(target, Target)
    body = deployment_manifest(PARENT, spec, target, SERVER)
    metadata = {k: v for k, v in body["metadata"].items() if k != "ownerReferences"}
    return {**body, "metadata": {**metadata, "namespace": NAMESPACE}}


@pytest.mark.parametrize("container", [{}, FULL], ids=["the image alone", "all that can be said"])
def test_deployment_and_pod_are_taken(kubectl: Kubectl, container: dict[str, Any]) -> None:
    body = deployment(**container)
    taken = kubectl.try_apply(body)["spec"]["template"]["spec"]
    [users] = taken["initContainers"]
    assert (users["name"], users["restartPolicy"]) == ("model", "Always")
    metadata = {"name": "tried", "namespace": NAMESPACE}
    spec = body["spec"]["template"]["spec"]
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec}
    kubectl.try_apply(pod)
