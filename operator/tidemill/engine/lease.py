"""Who leads: one process per Lease, and one that has lost it ends at once.

The rules are client-go's. The holder renews every `retry` seconds. Others watch the record change
on their own clock (never comparing clocks) and take over when it has not changed for `duration`.
A holder that has not managed to renew for `renew` seconds (less than `duration`) exits, so that
two never lead for long; deterministic names and server-side apply make the moment that remains
harmless. A clean exit gives the Lease back, and the next process need not wait.
"""

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from tidemill.engine.errors import Retry
from tidemill.kube.client import Client
from tidemill.kube.errors import Conflict
from tidemill.kube.resources import LEASES

Body = dict[str, Any]
logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class LeaseSettings:
    """Whose Lease, and its times in seconds."""

    namespace: str
    name: str
    identity: str
    duration: float = 15.0
    renew: float = 10.0
    retry: float = 2.0


class Lease:
    """Our side of one Lease object."""

    def __init__(
        self,
        client: Client,
        settings: LeaseSettings,
        exit_process: Callable[[int], object],
        clock: Callable[[], datetime],
    ) -> None:
        """Prepare; nothing is asked before `acquire`."""
        self._clock = clock
        self._client = client
        self._settings = settings
        self._exit = exit_process
        self._seen: tuple[Body, float] = ({}, 0.0)  # the record last seen, and since when

    async def acquire(self) -> None:
        """Wait until this process leads."""
        while not await self._try():  # noqa: ASYNC110 - the other side is not in this process
            await asyncio.sleep(self._settings.retry)
        logger.info("Took the Lease %s", self._settings.name)

    async def keep(self) -> None:
        """Renew until cancelled; end the process when that fails for too long."""
        loop = asyncio.get_running_loop()
        renewed = loop.time()
        while True:
            await asyncio.sleep(self._settings.retry)
            left = self._settings.renew - (loop.time() - renewed)
            if await self._try(within=max(left, 0.0)):
                renewed = loop.time()
            elif self._is_foreign() or loop.time() - renewed >= self._settings.renew:
                logger.error("Lost the Lease %s; ending the process", self._settings.name)
                self._exit(1)
                return

    async def release(self) -> None:
        """Give the Lease back; a failure only makes the next process wait for it to run out."""
        try:
            live = await self._read()
            if live is not None and live["spec"].get("holderIdentity") == self._settings.identity:
                spec = {**live["spec"], "holderIdentity": "", "leaseDurationSeconds": 1}
                await self._client.replace(LEASES, {**live, "spec": spec}, urgent=True)
                logger.info("Released the Lease %s", self._settings.name)
        except Retry as error:
            logger.warning("Lease not released: %s", error)

    async def _try(self, within: float | None = None) -> bool:
        """Take or renew; False when somebody else holds it or the API server does not answer."""
        try:
            async with asyncio.timeout(within):
                return await self._take()
        except Conflict:
            return False  # somebody was faster
        except (Retry, TimeoutError) as error:
            logger.warning("Lease not renewed: %s", error or "no answer in time")
            return False

    async def _take(self) -> bool:
        live = await self._read()
        if live is None:
            metadata = {"namespace": self._settings.namespace, "name": self._settings.name}
            body = {
                "apiVersion": LEASES.api_version,
                "kind": LEASES.kind,
                "metadata": metadata,
                "spec": self._record({}),
            }
            self._see(await self._client.create(LEASES, body, urgent=True))
            return True
        self._see(live)
        if self._is_held_by_another():
            return False
        body = {**live, "spec": self._record(live.get("spec", {}))}
        self._see(await self._client.replace(LEASES, body, urgent=True))
        return True

    async def _read(self) -> Body | None:
        return await self._client.get(LEASES, self._settings.namespace, self._settings.name)

    def _see(self, live: Body) -> None:
        """Remember a record, and when it was first seen as it is."""
        record = live.get("spec", {})
        if record != self._seen[0]:
            self._seen = (record, asyncio.get_running_loop().time())

    def _is_foreign(self) -> bool:
        holder = self._seen[0].get("holderIdentity", "")
        return holder not in {"", self._settings.identity}

    def _is_held_by_another(self) -> bool:
        record, since = self._seen
        duration = record.get("leaseDurationSeconds", self._settings.duration)
        return self._is_foreign() and asyncio.get_running_loop().time() - since < duration

    def _record(self, previous: Body) -> Body:
        now = self._clock().astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        changed = previous.get("holderIdentity") != self._settings.identity
        return {
            "holderIdentity": self._settings.identity,
            "leaseDurationSeconds": round(self._settings.duration),
            "acquireTime": now if changed else previous.get("acquireTime", now),
            "renewTime": now,
            "leaseTransitions": previous.get("leaseTransitions", 0) + (1 if changed else 0),
        }
