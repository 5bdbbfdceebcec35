"""Whose an object is: one rule, for whoever is about to touch it.

Two marks tell the owner, the controller reference and a label with the owner's UID, and either is
enough: somebody may have removed one of them. Another controller's reference outweighs a label.
"""

from collections.abc import Mapping
from typing import Any

OWNER_UID_LABEL = "tidemill.dev/owner-uid"


def controller(body: Mapping[str, Any]) -> Mapping[str, Any]:
    """Give the reference to the object that controls this one; empty where none does."""
    references = body["metadata"].get("ownerReferences") or ()
    return next((reference for reference in references if reference.get("controller")), {})


def owner_of(body: Mapping[str, Any]) -> str | None:
    """Give the UID of an object's owner; None where no mark tells one."""
    labelled = (body["metadata"].get("labels") or {}).get(OWNER_UID_LABEL)
    found: str | None = controller(body).get("uid") or labelled
    return found
