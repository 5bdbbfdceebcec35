"""The Job of a run with all that a template can say, as the API server takes it: restricted."""

from typing import Any

import pytest
from tests.apiserver.crd_objects import minimal
from tests.apiserver.kubectl import Kubectl
from tests.apiserver.training_rules import FULL_TEMPLATE
from tests.unit.children.world import NAMESPACE as PLACE
from tests.unit.children.world import RUNNER

from tidemill.api.v1alpha1.run_template import RunTemplate
from tidemill.api.v1alpha1.user_code import MAX_RANKS
from tidemill.children.naming import child_name
from tidemill.jobs.between import Middle
from tidemill.jobs.manifests import RunnerJob, job_manifest
from tidemill.jobs.ranks import Ranks, service_manifest
from tidemill.training.user_code import ROOM

Body = dict[str, Any]
NAMESPACE = "run-pod"
PARENT = {"metadata": {"name": "r", "namespace": PLACE, "uid": "u1"}}


@pytest.fixture(scope="module", autouse=True)
def _restricted(kubectl: Kubectl) -> None:
    labels = {"pod-security.kubernetes.io/enforce": "restricted"}
    metadata = {"name": NAMESPACE, "labels": labels}
    kubectl.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": metadata})
    kubectl.apply(
        {
            "apiVersion": "scheduling.k8s.io/v1",
            "kind": "PriorityClass",
            "metadata": {"name": "low"},
            "value": 1,
        }
    )


def job(**changes: Any) -> Body:
    template = RunTemplate.model_validate(FULL_TEMPLATE)
    fields = {"name": "j", **changes}
    made = RunnerJob(
        "TrainingRun", verb="train", image=RUNNER, template=template, deadline_seconds=60, **fields
    )
    return job_manifest(PARENT, made)


def placed(body: Body) -> Body:
    metadata = {k: v for k, v in body["metadata"].items() if k != "ownerReferences"}
    return {**body, "metadata": {**metadata, "namespace": NAMESPACE}}


def test_the_run_is_taken(kubectl: Kubectl) -> None:
    kubectl.try_apply(minimal("TrainingRun", changes={"template": FULL_TEMPLATE}))


@pytest.mark.parametrize("limit", [None, 0, 3])
def test_its_job_is_taken(kubectl: Kubectl, limit: int | None) -> None:
    taken = kubectl.try_apply(placed(job(retry_limit=limit, memory="4Gi")))
    assert taken["spec"]["backoffLimit"] == (2 if limit is None else limit)


@pytest.mark.parametrize("limit", [None, 0])
def test_ranks_are_taken_each_with_tries_of_its_own(kubectl: Kubectl, limit: int | None) -> None:
    """Their Service has no address of its own, and can be told from the pods of others."""
    name = child_name("TrainingRun", "r" * 253, "u1")
    ranks = Ranks(name, name, MAX_RANKS)
    middle = Middle("train", RUNNER, "provide", "judge", env=ranks.env(), room=ROOM)
    body = job(name=name, retry_limit=limit, workers=MAX_RANKS, ranks=ranks, middle=middle)
    spec = kubectl.try_apply(placed(body))["spec"]
    assert (spec["backoffLimitPerIndex"], spec["maxFailedIndexes"]) == (
        6 if limit is None else 0,
        0,
    )
    assert (spec["completionMode"], spec["completions"]) == ("Indexed", MAX_RANKS)
    assert spec["template"]["spec"]["subdomain"] == name
    service = kubectl.try_apply(placed(service_manifest("TrainingRun", PARENT, name)))
    assert service["spec"]["clusterIP"] == "None"
    labels = spec["template"]["metadata"]["labels"]
    assert service["spec"]["selector"].items() <= labels.items()


def test_its_pod_is_taken_where_only_restricted_ones_are(kubectl: Kubectl) -> None:
    template = job()["spec"]["template"]
    service_account = {"apiVersion": "v1", "kind": "ServiceAccount"}
    kubectl.apply({**service_account, "metadata": {"name": "default", "namespace": NAMESPACE}})
    metadata = {**template["metadata"], "name": "pod"}
    body = {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": template["spec"]}
    taken = kubectl.apply(placed(body))["spec"]
    assert taken["priorityClassName"] == "low"
    assert taken["affinity"] == FULL_TEMPLATE["affinity"]
    [side] = taken["initContainers"]
    assert (side["name"], side["restartPolicy"]) == ("side", "Always")
    for found in (side, *taken["containers"]):
        assert not [m for m in found["volumeMounts"] if "serviceaccount" in m["mountPath"]]
