"""Which changes of an object are news."""

import copy
from typing import Any

import pytest

from tidemill.kube import changes

Body = dict[str, Any]
OWN: Body = {
    "metadata": {"generation": 1, "resourceVersion": "1", "annotations": {"other": "x"}},
    "status": {"conditions": [{"type": "Ready", "status": "True"}], "progress": {"percent": 1}},
}
JOB: Body = {
    "metadata": {"generation": 1, "resourceVersion": "1", "labels": {"a": "b"}},
    "status": {},
}
DEPLOYMENT: Body = {
    "metadata": {"generation": 1, "resourceVersion": "1", "annotations": {}},
    "status": {"observedGeneration": 1, "readyReplicas": 1},
}
SERVICE: Body = {"metadata": {"resourceVersion": "1"}, "spec": {"ports": [{"port": 80}]}}


def changed(body: Body, path: str, value: object) -> Body:
    body = copy.deepcopy(body)
    *parents, last = path.split(" ")
    place = body
    for parent in parents:
        place = place.setdefault(parent, {})
    place[last] = value
    return body


def condition(kind: str) -> list[Body]:
    return [{"type": kind, "status": "True", "lastTransitionTime": "now"}]


@pytest.mark.parametrize(
    ("sign", "body", "path", "value", "halves"),
    [
        (changes.of_own, OWN, "metadata resourceVersion", "2", ""),
        (changes.of_own, OWN, "metadata annotations other", "y", ""),
        (changes.of_own, OWN, "status progress", {"percent": 2}, ""),
        (changes.of_own, OWN, "metadata generation", 2, "wanted"),
        (changes.of_own, OWN, "metadata deletionTimestamp", "now", "wanted"),
        (changes.of_own, OWN, f"metadata annotations {changes.REQUESTED_AT}", "now", "wanted"),
        (changes.of_own, OWN, "status version", "sha256:1", "outcome"),
        (changes.of_job, JOB, "metadata resourceVersion", "2", ""),
        (changes.of_job, JOB, "status active", 1, ""),
        (changes.of_job, JOB, "status ready", 1, ""),
        (changes.of_job, JOB, "status uncountedTerminatedPods", {"succeeded": ["x"]}, ""),
        (changes.of_job, JOB, "status conditions", condition("SuccessCriteriaMet"), ""),
        (changes.of_job, JOB, "status conditions", condition("Complete"), "outcome"),
        (changes.of_job, JOB, "status conditions", condition("Failed"), "outcome"),
        (changes.of_job, JOB, "status conditions", condition("Suspended"), "outcome"),
        (changes.of_job, JOB, "status failed", 1, "outcome"),
        (changes.of_job, JOB, "metadata generation", 2, "wanted"),
        (changes.of_job, JOB, "metadata labels", {}, "wanted"),
        (changes.of_job, JOB, "metadata ownerReferences", [{"uid": "x"}], "wanted"),
        (changes.of_job, JOB, "metadata deletionTimestamp", "now", "wanted"),
        (changes.of_deployment, DEPLOYMENT, "metadata annotations revision", "2", ""),
        (changes.of_deployment, DEPLOYMENT, "status readyReplicas", 2, "outcome"),
        (changes.of_deployment, DEPLOYMENT, "status observedGeneration", 2, "outcome"),
        (changes.of_deployment, DEPLOYMENT, "status conditions", condition("X"), "outcome"),
        (changes.of_deployment, DEPLOYMENT, "metadata generation", 2, "wanted"),
        (changes.of_plain, SERVICE, "metadata resourceVersion", "2", ""),
        (changes.of_plain, SERVICE, "status loadBalancer", {}, ""),
        (changes.of_plain, SERVICE, "spec ports", [{"port": 81}], "wanted"),
        (changes.of_plain, SERVICE, "metadata labels", {"a": "b"}, "wanted"),
    ],
)
def test_what_is_news(
    sign: changes.Sign, body: Body, path: str, value: object, halves: str
) -> None:
    before, after = sign(body), sign(changed(body, path, value))
    differing = [
        name for name, a, b in zip(("wanted", "outcome"), before, after, strict=True) if a != b
    ]
    assert " ".join(differing) == halves


@pytest.mark.parametrize(
    ("sign", "body"),
    [
        pytest.param(changes.of_job, JOB, id="job"),
        pytest.param(changes.of_deployment, {"metadata": {}}, id="deployment"),
        pytest.param(changes.of_plain, SERVICE, id="service"),
    ],
)
def test_a_new_child_has_no_outcome(sign: changes.Sign, body: Body) -> None:
    assert sign(body)[1] == ""
