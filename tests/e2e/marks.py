"""How a child is known as one: its labels, and who owns it."""

from collections.abc import Mapping
from typing import Any

LABELS = ("app.kubernetes.io/managed-by", "tidemill.dev/kind", "tidemill.dev/owner-uid")


def is_marked(before: Mapping[str, Any], now: Mapping[str, Any]) -> bool:
    """Tell whether a child bears the marks that it bore; it may itself be a new one."""
    labels = now["metadata"].get("labels", {})
    same = all(labels.get(label) == before["metadata"]["labels"][label] for label in LABELS)
    references = before["metadata"]["ownerReferences"]
    return same and now["metadata"].get("ownerReferences") == references
