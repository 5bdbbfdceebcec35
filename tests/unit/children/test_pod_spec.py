"""What every pod of a child has, and what of it a template may choose."""

from typing import Any

import pytest

from tidemill.api.v1alpha1.meta import Template
from tidemill.children.pod_spec import CONTAINER_SECURITY, resources, restricted_pod

DEFAULT = {"requests": {"cpu": "250m", "memory": "512Mi"}, "limits": {"memory": "2Gi"}}


def template(**fields: Any) -> Template:
    return Template.model_validate(fields)


@pytest.mark.parametrize(
    ("chosen", "requests", "limits"),
    [
        (None, DEFAULT["requests"], DEFAULT["limits"]),
        ({}, DEFAULT["requests"], DEFAULT["limits"]),
        (
            {"requests": {"memory": "1Gi"}},
            {"cpu": "250m", "memory": "1Gi"},
            {"memory": "2Gi"},
        ),
        (
            {"requests": {"memory": "3Gi"}},
            {"cpu": "250m", "memory": "3Gi"},
            {"memory": "3Gi"},
        ),
        (
            {"requests": {"memory": "2147483649"}},
            {"cpu": "250m", "memory": "2147483649"},
            {"memory": "2147483649"},
        ),
        (
            {"limits": {"memory": "256Mi"}},
            {"cpu": "250m", "memory": "256Mi"},
            {"memory": "256Mi"},
        ),
        (
            {"limits": {"memory": "8Gi"}, "requests": {"memory": "4Gi"}},
            {"cpu": "250m", "memory": "4Gi"},
            {"memory": "8Gi"},
        ),
        ({"requests": {"cpu": 2}}, {"cpu": "2", "memory": "512Mi"}, {"memory": "2Gi"}),
        (
            {"limits": {"nvidia.com/gpu": 1}},
            {"cpu": "250m", "memory": "512Mi", "nvidia.com/gpu": "1"},
            {"memory": "2Gi", "nvidia.com/gpu": "1"},
        ),
    ],
    ids=[
        "no template",
        "nothing chosen",
        "request below the default limit",
        "request above the default limit",
        "request a byte above it",
        "limit alone",
        "both",
        "another resource",
        "a device",
    ],
)
def test_requests_and_limits_are_taken_one_by_one(
    chosen: dict[str, Any] | None, requests: dict[str, str], limits: dict[str, str]
) -> None:
    made = None if chosen is None else template(resources=chosen)
    assert resources(made, DEFAULT) == {"requests": requests, "limits": limits}


def test_the_defaults_are_not_changed_by_use() -> None:
    resources(template(resources={"limits": {"memory": "8Gi"}}), DEFAULT)
    assert DEFAULT["limits"] == {"memory": "2Gi"}


@pytest.mark.parametrize("made", [None, template()], ids=["no template", "empty"])
def test_a_pod_is_restricted(made: Template | None) -> None:
    spec = restricted_pod(made)
    security = spec["securityContext"]
    assert spec["automountServiceAccountToken"] is False
    assert security["runAsNonRoot"] is True
    assert security["runAsUser"] > 0
    assert security["seccompProfile"] == {"type": "RuntimeDefault"}
    assert CONTAINER_SECURITY == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    assert not {"nodeSelector", "hostNetwork", "hostPID", "serviceAccountName"} & spec.keys()


def test_a_dead_node_is_left_soon() -> None:
    found = {t["key"]: t["tolerationSeconds"] for t in restricted_pod(None)["tolerations"]}
    assert found == {"node.kubernetes.io/not-ready": 30, "node.kubernetes.io/unreachable": 30}


def test_the_template_places_the_pod() -> None:
    spec = restricted_pod(
        template(
            nodeSelector={"disk": "fast"},
            tolerations=[{"key": "gpu", "operator": "Exists", "effect": "NoSchedule"}],
        )
    )
    assert spec["nodeSelector"] == {"disk": "fast"}
    assert spec["tolerations"][-1] == {"key": "gpu", "operator": "Exists", "effect": "NoSchedule"}
    assert len(spec["tolerations"]) == 3
