"""Who a child belongs to: labels to find it, one controller reference to be collected with it."""

from collections.abc import Mapping
from typing import Any

from tidemill.api.v1alpha1 import API_VERSION
from tidemill.kube.owners import OWNER_UID_LABEL, owner_of

MANAGED_BY = {"app.kubernetes.io/managed-by": "tidemill"}
KIND_LABEL = "tidemill.dev/kind"
# Of pods that are to reach more than our store and our operator: network policies go by it.
OUTSIDE = {"tidemill.dev/egress": "outside"}
# Of pods that share the work of one Job, and talk to one another.
CREW = {"tidemill.dev/crew": "shared"}
# Of pods that run a user's code together: what they reach of one another is not to be ours.
RANKS = {"tidemill.dev/crew": "code"}


def labels(kind: str, uid: str) -> dict[str, str]:
    """Label a child; the owner's name may be too long for a label, its UID never is."""
    return {**MANAGED_BY, KIND_LABEL: kind, OWNER_UID_LABEL: uid}


def selector(uid: str) -> dict[str, str]:
    """Select the children of one owner."""
    return {OWNER_UID_LABEL: uid}


def owner_reference(kind: str, parent: Mapping[str, Any]) -> dict[str, Any]:
    """Make the parent the one controller of the child."""
    metadata = parent["metadata"]
    return {
        "apiVersion": API_VERSION,
        "kind": kind,
        "name": metadata["name"],
        "uid": metadata["uid"],
        "controller": True,
        "blockOwnerDeletion": False,
    }


def child_metadata(kind: str, parent: Mapping[str, Any], name: str) -> dict[str, Any]:
    """Begin the metadata of a child."""
    metadata = parent["metadata"]
    return {
        "name": name,
        "namespace": metadata["namespace"],
        "labels": labels(kind, metadata["uid"]),
        "ownerReferences": [owner_reference(kind, parent)],
    }


def belongs_to_owner_of(mine: Mapping[str, Any], theirs: Mapping[str, Any]) -> bool:
    """Tell whether an object has the owner that the metadata of a child name."""
    return bool(mine["labels"][OWNER_UID_LABEL] == owner_of(theirs))
