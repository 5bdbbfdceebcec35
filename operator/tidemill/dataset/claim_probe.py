"""Whether the claim that a Dataset reads is there; what is on its volume, only a pod sees.

So one claim has one fingerprint for ever: it is read once, and anew when that is asked for, or when
another claim has taken its name. A claim that is not bound yet is fine, as many are bound only when
the first pod comes.
"""

from collections.abc import Mapping
from typing import Any

from tidemill.api.v1alpha1.reasons import Reason
from tidemill.api.v1alpha1.sources import PvcSource
from tidemill.dataset.observed import Listing, SourceProblem
from tidemill.kube.client import Client
from tidemill.kube.resources import PERSISTENT_VOLUME_CLAIMS
from tidemill.store import digests

FIELD = "spec.source.pvc.claimName"


async def look(client: Client, namespace: str, pvc: PvcSource) -> Listing | SourceProblem:
    """Read the claim."""
    claim = await client.get(PERSISTENT_VOLUME_CLAIMS, namespace, pvc.claim_name)
    return judge(claim, namespace, pvc)


def judge(
    claim: Mapping[str, Any] | None, namespace: str, pvc: PvcSource
) -> Listing | SourceProblem:
    """Give what tells this claim from another, or why no pod can read it."""
    name = pvc.claim_name
    if claim is None:
        message = (
            f"{FIELD} names the PersistentVolumeClaim {name}, which does not exist in namespace "
            f"{namespace}: create it, or correct the name"
        )
        return SourceProblem(Reason.SOURCE_MISSING, message)
    if claim["metadata"].get("deletionTimestamp"):
        message = (
            f"the PersistentVolumeClaim {name} of {FIELD} is being deleted: create it anew when it "
            "is gone, or name another"
        )
        return SourceProblem(Reason.SOURCE_MISSING, message)
    if claim.get("status", {}).get("phase") == "Lost":
        message = (
            f"the PersistentVolumeClaim {name} of {FIELD} has lost its volume (phase Lost): "
            "restore the PersistentVolume, or name another claim"
        )
        return SourceProblem(Reason.SOURCE_MISSING, message)
    if claim.get("spec", {}).get("volumeMode") == "Block":
        message = (
            f"the PersistentVolumeClaim {name} of {FIELD} is a block device without files: name "
            "one of volumeMode Filesystem"
        )
        return SourceProblem(Reason.SPEC_INVALID, message)
    parts = ["pvc", name, pvc.path, claim["metadata"]["uid"]]
    mark = digests.sha256_digest(digests.canonical_json(parts))
    return Listing(mark, 0, 0, settled=True, weak=True)
