"""The removal: the operator and its rights always; objects, definitions and data only on demand."""

from . import network, rights
from .kubectl import Kubectl
from .options import ROOT
from .progress import say, step
from .store import NAMESPACE

PART = "app.kubernetes.io/part-of=tidemill"
OWN_KINDS = "deployments,statefulsets,jobs,services,configmaps,rolebindings,roles,serviceaccounts"


def remove(kubectl: Kubectl, *, purge: bool) -> None:
    """Remove Tidemill; with `purge` every object of its kinds and MinIO's data go as well."""
    if purge:
        with step("all objects and the definitions of the kinds: removed", about=10):
            kubectl.delete("-f", str(ROOT / "crds"))
    with step("operator and its rights: removed", about=10):
        kubectl.delete(OWN_KINDS, "-n", NAMESPACE, "-l", PART)
        kubectl.delete("lease/tidemill-operator", "-n", NAMESPACE)
        kubectl.delete(rights.NAMESPACE_KINDS, "-A", "-l", rights.SELECTOR)
        kubectl.delete(rights.CLUSTER_KINDS, "-l", PART)
        network.withdraw_others(kubectl, ())
    if purge:
        with step(f"namespace {NAMESPACE}: removed", about=20):
            kubectl.delete("namespace", NAMESPACE)
    else:
        say(
            f"kept: the kinds with their objects, and in {NAMESPACE} the Secrets and MinIO's volume"
        )
