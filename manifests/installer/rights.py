"""The operator's rights of an earlier installation, which served other namespaces."""

from .kubectl import Kubectl

SELECTOR = "tidemill.dev/access=operator"
CLUSTER_KINDS = "clusterrolebindings,clusterroles"
NAMESPACE_KINDS = "rolebindings,roles"


def withdraw_others(kubectl: Kubectl, namespaces: tuple[str, ...]) -> None:
    """Delete the rights that serving just these namespaces (none: all) does not need."""
    if namespaces:
        kubectl.delete(CLUSTER_KINDS, "-l", SELECTOR)
    found = kubectl.get(NAMESPACE_KINDS, "-A", "-l", SELECTOR) or {}
    served = {item["metadata"]["namespace"] for item in found.get("items", ())}
    for namespace in sorted(served - set(namespaces)):
        kubectl.delete(NAMESPACE_KINDS, "-n", namespace, "-l", SELECTOR)
