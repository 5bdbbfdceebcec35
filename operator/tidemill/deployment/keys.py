"""The Secrets of what is served: keys for the store, and beside them the list of several models.

The list is a value of the Secret that the pods mount, so that a change of it reaches those that
run. What stands there is also how it is known what the pods were told before.
"""

import base64
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from tidemill.children.ownership import belongs_to_owner_of, child_metadata, selector
from tidemill.children.platform import Platform
from tidemill.children.store_secret import StoreSecrets, Wanted
from tidemill.deployment.manifests import KIND
from tidemill.deployment.observed import DeploymentView
from tidemill.deployment.shelf import FILE, Told
from tidemill.deployment.target import Target
from tidemill.engine.context import Context
from tidemill.kube.resources import SECRETS
from tidemill.store import layout
from tidemill.store.credentials import Policy, serve_policy

CREDENTIALS_SECONDS = 24 * 3600
SOONEST_RENEWAL_SECONDS = 10.0
# The kubelet has brought a changed Secret into the pods by then.
DELIVERY_SECONDS = 120.0


@dataclass(frozen=True, slots=True)
class Keys:
    """Reads and writes them for one ModelDeployment after the other."""

    context: Context
    platform: Platform

    async def told(
        self, live: Mapping[str, Any], views: Iterable[DeploymentView]
    ) -> dict[str, Told]:
        """Read the lists that pods were told, by the names of their Deployments."""
        metadata, found = live["metadata"], {}
        for one in views:
            if not one.target.several:
                continue
            secret = await self.context.client.get(SECRETS, metadata["namespace"], one.name)
            mine = {"labels": selector(metadata["uid"])}
            if secret is not None and belongs_to_owner_of(mine, secret):
                text = _value(secret, FILE)
                if text is not None:
                    found[one.name] = Told(text, _since(secret))
        return found

    async def keep(
        self,
        live: Mapping[str, Any],
        target: Target,
        name: str,
        told: str | None,
        before: Told | None,
    ) -> list[float]:
        """Keep keys fresh, and the list; tell in how many seconds to look at them again.

        A container has no keys, and reads nothing of the store. A list that is not known any more
        is let be: the pods still have it.
        """
        namespace, bucket = live["metadata"]["namespace"], self.platform.store_config.bucket
        if target.several:
            if told is None:
                return []
            # Whatever package of the namespace: no policy has room for the names of 32.
            policy = serve_policy(bucket, layout.models_prefix(namespace))
            left = await self._kept(live, name, policy, {FILE: told})
            return [left, *self._delivered(told, before)]
        if not readable(target, namespace, bucket):
            return []
        _, prefix = layout.parse_uri(target.uri)
        return [await self._kept(live, name, serve_policy(bucket, prefix), {})]

    async def remove(self, live: Mapping[str, Any], name: str) -> None:
        """Delete the Secret of a Deployment."""
        await StoreSecrets(self.context, self.platform).remove(live, name)

    async def _kept(
        self, live: Mapping[str, Any], name: str, policy: Policy, values: Mapping[str, str]
    ) -> float:
        wanted = Wanted(child_metadata(KIND, live, name), policy, CREDENTIALS_SECONDS, values)
        left = await StoreSecrets(self.context, self.platform).keep(wanted)
        return max(left, SOONEST_RENEWAL_SECONDS)

    def _delivered(self, text: str, before: Told | None) -> list[float]:
        if before is None or before.text != text:
            return [DELIVERY_SECONDS]
        if before.since is None:
            return []
        left = DELIVERY_SECONDS - (self.context.clock() - before.since).total_seconds()
        return [left] if 0 < left <= DELIVERY_SECONDS else []


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


def _value(secret: Mapping[str, Any], key: str) -> str | None:
    encoded = (secret.get("data") or {}).get(key)
    try:
        return None if encoded is None else base64.b64decode(encoded).decode("utf-8")
    except ValueError:
        return None


def _since(secret: Mapping[str, Any]) -> datetime | None:
    try:
        return datetime.fromisoformat(str(secret["metadata"].get("creationTimestamp")))
    except ValueError:
        return None
