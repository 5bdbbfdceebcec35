"""The Secrets of what is served: keys for the store, and beside them the list of several models.

The list is a value of the Secret that the pods mount, so that a change of it reaches those that
run. What they were told is noted at the Deployment afterwards: a Secret may be lost, and what it
was to hold may never have been written.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tidemill.children.ownership import child_metadata
from tidemill.children.platform import Platform
from tidemill.children.store_secret import StoreSecrets, Wanted
from tidemill.deployment.manifests import KIND
from tidemill.deployment.observed import LIST_ANNOTATION, DeploymentView
from tidemill.deployment.shelf import FILE
from tidemill.deployment.target import Target
from tidemill.engine.context import Context
from tidemill.kube.resources import DEPLOYMENTS
from tidemill.store import layout
from tidemill.store.credentials import serve_policy

CREDENTIALS_SECONDS = 24 * 3600
SOONEST_RENEWAL_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class Keys:
    """Reads and writes them for one ModelDeployment after the other."""

    context: Context
    platform: Platform

    async def keep(
        self, live: Mapping[str, Any], target: Target, name: str, listed: str | None
    ) -> list[float]:
        """Keep keys fresh, and the list; tell in how many seconds to look at them again.

        A container has no keys, and reads nothing of the store. Where no list is known, as after
        an edit by hand, the Secret is let be: the pods still have it.
        """
        namespace, bucket = live["metadata"]["namespace"], self.platform.store_config.bucket
        metadata = child_metadata(KIND, live, name)
        if target.several:
            if listed is None:
                return []
            # Whatever package of the namespace: no policy has room for the names of 32.
            policy, values = serve_policy(bucket, layout.models_prefix(namespace)), {FILE: listed}
            # So another list needs no other keys: it is told also while the store grants none.
            wanted = Wanted(metadata, policy, CREDENTIALS_SECONDS, values, keep_keys=True)
        elif readable(target, namespace, bucket):
            _, prefix = layout.parse_uri(target.uri)
            wanted = Wanted(metadata, serve_policy(bucket, prefix), CREDENTIALS_SECONDS)
        else:
            return []
        left = await StoreSecrets(self.context, self.platform).keep(wanted)
        return [max(left, SOONEST_RENEWAL_SECONDS)]

    async def keep_served(
        self, live: Mapping[str, Any], one: DeploymentView, listed: str | None
    ) -> list[float]:
        """Do as `keep` for a Deployment that is there, and note at it what its pods are told."""
        left = await self.keep(live, one.target, one.name, listed)
        if one.target.several and listed is not None and listed != one.listed:
            note = {"metadata": {"annotations": {LIST_ANNOTATION: listed}}}
            namespace = live["metadata"]["namespace"]
            await self.context.client.patch(DEPLOYMENTS, namespace, one.name, note)
        return left

    async def remove(self, live: Mapping[str, Any], name: str) -> None:
        """Delete the Secret of a Deployment."""
        await StoreSecrets(self.context, self.platform).remove(live, name)


def readable(target: Target, namespace: str, bucket: str) -> bool:
    """Tell whether there can be keys that read this package and nothing else."""
    if not is_within(target, namespace, bucket):
        return False
    try:
        serve_policy(*layout.parse_uri(target.uri)).to_json()  # which has room for so much only
    except ValueError:
        return False
    return True


def is_within(target: Target, namespace: str, bucket: str) -> bool:
    """Tell whether a package is of this namespace: another's data are not this one's."""
    try:
        found, prefix = layout.parse_uri(target.uri)
    except ValueError:
        return False
    own = prefix.startswith(layout.models_prefix(namespace)) and ".." not in prefix
    return own and found == bucket
