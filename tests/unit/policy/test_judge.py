"""What a policy does not allow is told with the field and the rule."""

from typing import Any

import pytest

from tidemill.policy.document import Rules
from tidemill.policy.judge import Subject, judge, told

DIGEST = "@sha256:" + "0" * 64
SVC = {"sklearn": {"steps": [{"name": "m", "class": "sklearn.svm.SVC"}]}}


def subject(spec: dict[str, Any] | None = None, **more: Any) -> Subject:
    metadata = {"name": "r", "namespace": "ns", "labels": more.pop("labels", {})}
    resources = {"limits": {"memory": "2Gi"}, "requests": {"cpu": "500m"}}
    pod = {"containers": [{"name": "runner", "resources": more.pop("resources", resources)}]}
    child = {"spec": {**more, "template": {"spec": pod}}}
    return Subject({"metadata": metadata, "spec": spec or {}}, child)


def rules(**given: Any) -> Rules:
    return Rules.model_validate(given)


SIDECAR = {"template": {"sidecars": [{"image": "registry.example.org/b" + DIGEST}]}}


@pytest.mark.parametrize(
    ("given", "asking"),
    [
        pytest.param({}, subject(SIDECAR), id="no rules"),
        pytest.param({"images": ["registry.example.org/*"]}, subject(SIDECAR), id="image"),
        pytest.param({"images": []}, subject({"estimator": SVC}), id="ours are not asked about"),
        pytest.param(
            {"images": ["docker.io/library/*"]},
            subject({"prepare": {"container": {"image": "busybox" + DIGEST}}}),
            id="a short name is written out",
        ),
        pytest.param({"estimators": ["sklearn.*"]}, subject({"estimator": SVC}), id="class"),
        pytest.param(
            {"estimators": ["container"]},
            subject({"estimator": {"container": {}}}),
            id="a container by its name",
        ),
        pytest.param({"labels": {"team": "a-*"}}, subject(labels={"team": "a-1"}), id="label"),
        pytest.param({"maxDeadline": "60m"}, subject({"deadline": "1h"}), id="as long as may be"),
        pytest.param({"maxResources": {"pod": {"memory": "2Gi"}}}, subject(), id="as much"),
        pytest.param({"maxResources": {"pod": {"nvidia.com/gpu": "0"}}}, subject(), id="no device"),
        pytest.param(
            {"maxResources": {"total": {"memory": "6Gi"}}}, subject(parallelism=3), id="in all"
        ),
    ],
)
def test_allowed(given: dict[str, Any], asking: Subject) -> None:
    assert judge(rules(**given), asking) == []


@pytest.mark.parametrize(
    ("given", "asking", "words"),
    [
        pytest.param(
            {"images": ["registry.example.org/ml/*"]},
            subject(SIDECAR),
            (
                "spec.template.sidecars[0].image: registry.example.org/b",
                "registry.example.org/ml/*",
            ),
            id="another folder",
        ),
        pytest.param(
            {"images": ["registry.example.org/*"]},
            subject({"prepare": {"container": {"image": "registry.example.org.evil.io/x"}}}),
            ("spec.prepare.container.image: registry.example.org.evil.io/x",),
            id="a registry that begins alike",
        ),
        pytest.param({"images": []}, subject(SIDECAR), ("lists nothing",), id="no image at all"),
        pytest.param(
            {"estimators": ["sklearn.linear_model.*"]},
            subject({"estimator": SVC}),
            ("spec.estimator.sklearn.steps[0].class: sklearn.svm.SVC", "sklearn.linear_model.*"),
            id="class",
        ),
        pytest.param(
            {"estimators": ["sklearn.*"]},
            subject({"estimator": {"script": {}}}),
            ("spec.estimator.script: script is none of estimators",),
            id="a script is no class of the list",
        ),
        pytest.param(
            {"labels": {"team": "*"}},
            subject(),
            ("requires team=*", "there is no team"),
            id="label",
        ),
        pytest.param(
            {"labels": {"team": "a-*"}},
            subject(labels={"team": "b"}),
            ("metadata.labels.team: 'b'", "team=a-*"),
            id="another value",
        ),
        pytest.param(
            {"maxDeadline": "30m"},
            subject({"deadline": "soon"}),
            ("spec.deadline: 'soon' is no duration that maxDeadline can judge",),
            id="no duration",
        ),
        pytest.param(
            {"maxDeadline": "30m"},
            subject({"deadline": "999999d" * 2000}),
            (f"spec.deadline: {'999999d' * 5 + '99999'!r} is no duration",),
            id="a duration beyond all time",
        ),
        pytest.param(
            {"maxDeadline": "30m"},
            subject({"deadline": "1h"}),
            ("spec.deadline: 1h is more than maxDeadline (30m)",),
            id="too long",
        ),
        pytest.param(
            {"maxResources": {"container": {"memory": "1Gi"}}},
            subject(),
            ("container runner may use 2Gi of memory", "maxResources.container allows 1Gi"),
            id="container",
        ),
        pytest.param(
            {"maxResources": {"pod": {"cpu": "400m"}}},
            subject(),
            ("its pod may use 0.5 of cpu", "maxResources.pod allows 400m"),
            id="pod",
        ),
        pytest.param(
            {"maxResources": {"total": {"memory": "5Gi"}}},
            subject(parallelism=3),
            ("its 3 pod(s) may use 6Gi of memory", "maxResources.total allows 5Gi"),
            id="workers in all",
        ),
        pytest.param(
            {"maxResources": {"total": {"memory": "3Gi"}}},
            subject(replicas=2),
            ("its 2 pod(s) may use 4Gi",),
            id="replicas in all",
        ),
        pytest.param(
            {"maxResources": {"pod": {"memory": "1Gi"}}},
            subject(resources={}),
            ("its pod has no limit of memory", "set one"),
            id="no limit",
        ),
    ],
)
def test_not_allowed(given: dict[str, Any], asking: Subject, words: tuple[str, ...]) -> None:
    sentence = "; ".join(judge(rules(**given), asking))
    assert [word for word in words if word not in sentence] == []


def test_all_that_is_wrong_is_counted() -> None:
    given = rules(labels={"a": "*", "b": "*"}, maxDeadline="1m", images=[])
    found = judge(given, subject({"deadline": "1h", **SIDECAR}))
    assert len(found) == 4
    assert told(found).endswith("; and 1 more")
