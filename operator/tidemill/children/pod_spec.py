"""The parts of a pod that every child shares: restricted security, resources, placement.

The security settings are those of Kubernetes' Pod Security Standard "restricted", with a read-only
root file system on top. The user's template chooses resources and placement, nothing else.
"""

from decimal import Decimal
from typing import Any

from tidemill.api.v1alpha1.meta import Template
from tidemill.kube.drift import quantity

USER_ID = 65532
UNREACHABLE_SECONDS = 30

POD_SECURITY: dict[str, Any] = {
    "runAsNonRoot": True,
    "runAsUser": USER_ID,
    "runAsGroup": USER_ID,
    "fsGroup": USER_ID,
    "seccompProfile": {"type": "RuntimeDefault"},
}
CONTAINER_SECURITY: dict[str, Any] = {
    "allowPrivilegeEscalation": False,
    "readOnlyRootFilesystem": True,
    "capabilities": {"drop": ["ALL"]},
}


def restricted_pod(template: Template | None) -> dict[str, Any]:
    """Begin a pod spec: no API token, restricted, placed as the template says."""
    spec: dict[str, Any] = {
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "securityContext": POD_SECURITY,
        "tolerations": [
            *_unreachable_tolerations(),
            *(t.model_dump(by_alias=True, exclude_none=True) for t in _tolerations(template)),
        ],
    }
    if template and template.node_selector:
        spec["nodeSelector"] = dict(template.node_selector)
    return spec


def resources(template: Template | None, default: dict[str, Any]) -> dict[str, Any]:
    """Take the template's requests and limits over the defaults, one by one.

    As in Kubernetes, a limit set alone is also the request; and a request set alone raises a
    default limit that is lower, since a request above its limit would be refused.
    """
    chosen = template.resources if template else None
    own_requests, own_limits = (chosen.requests, chosen.limits) if chosen else ({}, {})
    default_limits = default.get("limits", {})
    raised = {
        name: own_requests[name]
        for name, limit in default_limits.items()
        if name in own_requests and _amount(own_requests[name]) > _amount(limit)
    }
    return {
        "requests": {**default.get("requests", {}), **own_limits, **own_requests},
        "limits": {**default_limits, **raised, **own_limits},
    }


def _amount(text: str) -> Decimal:
    return quantity(text) or Decimal(0)


def _tolerations(template: Template | None) -> list[Any]:
    return list(template.tolerations) if template else []


def _unreachable_tolerations() -> list[dict[str, Any]]:
    """Leave a dead node after half a minute, not after Kubernetes' five."""
    return [
        {
            "key": f"node.kubernetes.io/{taint}",
            "operator": "Exists",
            "effect": "NoExecute",
            "tolerationSeconds": UNREACHABLE_SECONDS,
        }
        for taint in ("not-ready", "unreachable")
    ]
