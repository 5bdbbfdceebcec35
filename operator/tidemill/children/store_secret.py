"""The Secret of a child: keys for the store that end by themselves, and what else its pods read.

Keys are new each time they are granted, so a Secret cannot be compared with the one that would be
written now. It bears notes instead: a digest over what it holds, which an edit by hand does not
match, and the time at which half of its keys' life is over, however long the store made it. One
that is whole and not half through is left alone. So every write brings the world forward, however
often the operator ends between two of them.
"""

import base64
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from tidemill.api.v1alpha1.reasons import Reason
from tidemill.children.credentials import scoped_store
from tidemill.children.ownership import belongs_to_owner_of, selector
from tidemill.children.platform import Platform
from tidemill.engine.context import Context
from tidemill.engine.errors import Stalled
from tidemill.kube.client import Body
from tidemill.kube.drift import drift
from tidemill.kube.errors import Conflict
from tidemill.kube.resources import SECRETS
from tidemill.store.credentials import Policy, TemporaryStore

EXPIRES_ANNOTATION = "tidemill.dev/expires"
RENEW_ANNOTATION = "tidemill.dev/renew"
CONTENT_ANNOTATION = "tidemill.dev/content"


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a Secret is to be, all but its keys.

    Those can do what `policy` says, for `seconds` if the store grants as many. With `keep_keys`
    other values leave them as they are: the policy of this name is always the same.
    """

    metadata: Mapping[str, Any]
    policy: Policy
    seconds: int
    values: Mapping[str, str] = field(default_factory=dict)
    keep_keys: bool = False

    @property
    def namespace(self) -> str:
        """Give the namespace."""
        return str(self.metadata["namespace"])

    @property
    def name(self) -> str:
        """Give the name, which is that of the child."""
        return str(self.metadata["name"])


@dataclass(frozen=True, slots=True)
class StoreSecrets:
    """Writes the Secrets of children."""

    context: Context
    platform: Platform

    async def begin(self, wanted: Wanted) -> float:
        """Do as `keep`, with one call less where the Secret is most likely not there."""
        try:
            return await self._create(wanted)
        except Conflict:
            return await self.keep(wanted)

    async def keep(self, wanted: Wanted) -> float:
        """Make the Secret be there with keys that last; gives the seconds until it wants new ones.

        Raises `Stalled` (NameConflict) where the name is somebody else's, and what granting keys
        raises.
        """
        client = self.context.client
        live = await client.get(SECRETS, wanted.namespace, wanted.name)
        if live is None:
            return await self._create(wanted)
        if not belongs_to_owner_of(wanted.metadata, live):
            message = (
                f"Secret {wanted.namespace}/{wanted.name} exists already and is not Tidemill's: "
                "remove or rename it"
            )
            raise Stalled(Reason.NAME_CONFLICT, message)
        left = seconds_left(wanted, live, self.context.clock())
        if left > 0:
            return left
        # Known before anything is removed: what grants keys may fail.
        body = self._with_its_keys(wanted, live)
        if body is None:
            body = manifest(wanted, await self._grant(wanted), self.context.clock())
        # Removed and made anew: what somebody added does not stay. Running pods do not notice.
        uid = live["metadata"]["uid"]
        await client.delete(SECRETS, wanted.namespace, wanted.name, uid=uid)
        return await self._written(wanted, body)

    def _with_its_keys(self, wanted: Wanted, live: Mapping[str, Any]) -> Body | None:
        """Give the Secret with other values and the keys it has, where those are good still."""
        alike = replace(wanted, values={})
        if not wanted.keep_keys or seconds_left(alike, live, self.context.clock()) <= 0:
            return None
        notes = live["metadata"]["annotations"]
        data = {**live["data"], **_encoded(wanted.values)}
        kept = {name: notes[name] for name in (EXPIRES_ANNOTATION, RENEW_ANNOTATION)}
        return _body(wanted, data, {**kept, CONTENT_ANNOTATION: _digest(data)})

    async def remove(self, parent: Mapping[str, Any], name: str) -> None:
        """Delete the Secret of a child, if it is that: a name alone proves nothing."""
        namespace, uid = parent["metadata"]["namespace"], parent["metadata"]["uid"]
        live = await self.context.client.get(SECRETS, namespace, name)
        if live is not None and belongs_to_owner_of({"labels": selector(uid)}, live):
            uid = live["metadata"]["uid"]
            await self.context.client.delete(SECRETS, namespace, name, uid=uid)

    async def _grant(self, wanted: Wanted) -> TemporaryStore:
        return await scoped_store(
            self.context, self.platform, wanted.namespace, wanted.policy, wanted.seconds
        )

    async def _create(self, wanted: Wanted) -> float:
        granted = await self._grant(wanted)
        return await self._written(wanted, manifest(wanted, granted, self.context.clock()))

    async def _written(self, wanted: Wanted, body: Body) -> float:
        await self.context.client.create(SECRETS, body)
        return seconds_left(wanted, body, self.context.clock())


def manifest(wanted: Wanted, granted: TemporaryStore, now: datetime) -> Body:
    """Build the Secret with all that it holds."""
    data = _encoded({**wanted.values, **granted.config.to_values()})
    half = now + (granted.expires - now) / 2
    annotations = {
        EXPIRES_ANNOTATION: granted.expires.isoformat(timespec="seconds"),
        RENEW_ANNOTATION: half.isoformat(timespec="seconds"),
        CONTENT_ANNOTATION: _digest(data),
    }
    return _body(wanted, data, annotations)


def _body(wanted: Wanted, data: Mapping[str, str], annotations: Mapping[str, str]) -> Body:
    return {
        "apiVersion": SECRETS.api_version,
        "kind": SECRETS.kind,
        "metadata": {**wanted.metadata, "annotations": dict(annotations)},
        "type": "Opaque",
        "data": dict(data),
    }


def seconds_left(wanted: Wanted, live: Mapping[str, Any], now: datetime) -> float:
    """Tell for how long a Secret is good; not at all where it is not as it was or shall be."""
    notes, data = live["metadata"].get("annotations") or {}, live.get("data") or {}
    whole = notes.get(CONTENT_ANNOTATION) == _digest(data)
    differs = drift(wanted.metadata, live["metadata"]) or drift(_encoded(wanted.values), data)
    if differs or not whole:
        return 0.0
    try:
        renew = datetime.fromisoformat(notes[RENEW_ANNOTATION])
        return (renew - now).total_seconds()
    except (KeyError, ValueError, TypeError):
        return 0.0


def _encoded(values: Mapping[str, str]) -> dict[str, str]:
    return {key: base64.b64encode(value.encode()).decode() for key, value in values.items()}


def _digest(data: Mapping[str, str]) -> str:
    return hashlib.sha256(json.dumps(dict(data), sort_keys=True).encode()).hexdigest()[:32]
