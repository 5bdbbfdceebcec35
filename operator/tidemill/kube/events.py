"""Kubernetes Events: what `kubectl describe` shows below an object, on transitions only.

An Event's name is a digest of what it says about which object, so that saying it again finds the
first one and raises its count instead of adding a line. Conditions are the record; Events are a
courtesy: one that cannot be written is logged and forgotten, never a reason for a reconcile to
fail.
"""

import hashlib
import logging
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

from tidemill.kube import resources
from tidemill.kube.client import Client
from tidemill.kube.errors import ApiError, Conflict

COMPONENT = "tidemill"
MAX_MESSAGE = 1024  # the API server refuses more
MAX_NAME = 253

logger = logging.getLogger(__name__)


class Events:
    """Writes Events about our objects."""

    def __init__(self, client: Client, clock: Callable[[], datetime]) -> None:
        """Write with `client`, dated by `clock`."""
        self._client = client
        self._clock = clock

    async def emit(
        self,
        about: Mapping[str, Any],
        *,
        kind: str,
        reason: str,
        message: str,
        warning: bool = False,
    ) -> None:
        """Tell about an object of `kind`; a warning is what needs somebody's attention."""
        event = compose({**about, "kind": kind}, reason, message, warning=warning)
        now = self._clock().astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        event |= {"count": 1, "firstTimestamp": now, "lastTimestamp": now}
        try:
            try:
                await self._client.create(resources.EVENTS, event)
            except Conflict:
                await self._repeat(event, now)
        except ApiError as error:
            logger.warning("Event not written: %s", error)

    async def _repeat(self, event: dict[str, Any], now: str) -> None:
        namespace, name = event["metadata"]["namespace"], event["metadata"]["name"]
        first = await self._client.get(resources.EVENTS, namespace, name)
        if first is not None:  # else it expired a moment ago: nobody misses it
            change = {"count": first.get("count", 1) + 1, "lastTimestamp": now}
            await self._client.patch(resources.EVENTS, namespace, name, change)


def compose(
    about: Mapping[str, Any], reason: str, message: str, *, warning: bool
) -> dict[str, Any]:
    """Build the Event without its times and count: the same words give the same name."""
    metadata = about["metadata"]
    type_ = "Warning" if warning else "Normal"
    uid = metadata.get("uid", "")
    words = f"{uid}\0{type_}\0{reason}\0{message}"
    digest = hashlib.sha256(words.encode()).hexdigest()[:16]
    return {
        "apiVersion": "v1",
        "kind": "Event",
        "metadata": {
            "namespace": metadata["namespace"],
            "name": f"{metadata['name'][: MAX_NAME - 17].rstrip('.-')}.{digest}",
        },
        "involvedObject": {
            "apiVersion": about["apiVersion"],
            "kind": about["kind"],
            "namespace": metadata["namespace"],
            "name": metadata["name"],
            "uid": uid,
        },
        "type": type_,
        "reason": str(reason),
        "message": message if len(message) <= MAX_MESSAGE else message[: MAX_MESSAGE - 1] + "…",
        "source": {"component": COMPONENT},
        "reportingComponent": COMPONENT,
        "reportingInstance": COMPONENT,
    }
