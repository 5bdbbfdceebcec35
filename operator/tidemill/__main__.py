"""`python -m tidemill`: put the parts together, run them, end with their exit code."""

import asyncio
import gc
import logging
import os
import sys
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from functools import partial

from prometheus_client import CollectorRegistry

from tidemill.engine import logs
from tidemill.engine.context import Context, utc_now
from tidemill.engine.faults import DieAtWrite
from tidemill.engine.key import Key
from tidemill.engine.lease import Lease, LeaseSettings
from tidemill.engine.limiter import Limiter
from tidemill.engine.listener import Listener
from tidemill.engine.metrics import Metrics
from tidemill.engine.probes import Progress
from tidemill.engine.process import Parts, Process
from tidemill.engine.queue import Backoff, Queue, Queues
from tidemill.engine.resync import Resync
from tidemill.engine.server import Server
from tidemill.engine.waiters import Waiters
from tidemill.engine.worker import Controller, Limits
from tidemill.kinds import NAMES, Kinds, assemble
from tidemill.kube.client import Client, Policy
from tidemill.kube.connection import Connection
from tidemill.kube.events import Events
from tidemill.kube.resources import Resource
from tidemill.settings import Settings
from tidemill.wiring import OWN, Sieve, Watches

SERVED_RETRY_SECONDS = 5.0
# Of the port that data is read through: apart from probes, so that a right opens one.
DATA_BODY, DATA_STOPPING_SECONDS = 1024, 5.0
logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Operator:
    """Everything that one process needs, and how it is put together."""

    settings: Settings
    connection: Connection
    registry: CollectorRegistry
    metrics: Metrics
    assemble: Callable[[Context], Kinds]

    async def run(self) -> int:
        """Serve probes, then lead and work; gives the exit code."""
        async with (
            Client(self.connection, self._policy()) as client,
            Client(self.connection) as apart,  # the Lease never waits behind other requests
        ):
            queues = self._queues()
            context = Context(
                client=client,
                events=Events(client, utc_now),
                queue=queues,
                waiters=Waiters(),
                settings=self.settings,
                registry=self.registry,
            )
            kinds = self.assemble(context)
            progress = Progress(queues.items(), self.settings.stuck_seconds)
            server = Server(progress, self.registry, kinds.routes)
            data = Listener(kinds.data_routes, DATA_BODY, DATA_STOPPING_SECONDS)
            await server.start(self.settings.listen, self.settings.port)
            try:
                await data.start(self.settings.listen, self.settings.data_port)
                lease = Lease(apart, _lease_settings(self.settings), os._exit, utc_now)
                return await Process(self._parts(context, kinds, progress, lease)).run()
            finally:
                await data.stop()
                await server.stop()

    def _policy(self) -> Policy:
        limiter = Limiter(self.settings.writes_per_second, self.settings.writes_burst)
        die = DieAtWrite(self.settings.die_at_write, os._exit)

        def after_write() -> None:
            self.metrics.writes.inc()
            die()

        return Policy(
            before_write=limiter.take,
            after_write=after_write,
            after_answer=self.metrics.answered,
        )

    def _queues(self) -> Queues:
        backoff = Backoff(self.settings.backoff_base_seconds, self.settings.backoff_max_seconds)
        return Queues({name: Queue(backoff, self.metrics.queue(name.lower())) for name in NAMES})

    def _parts(self, context: Context, kinds: Kinds, progress: Progress, lease: Lease) -> Parts:
        settings, client = self.settings, context.client
        limits = Limits(settings.workers, settings.reconcile_seconds)
        controllers = [
            Controller(
                queue,
                kinds.reconcilers[kind],
                self.metrics.controller(kind.lower()),
                kinds.limits.get(kind, limits),
            )
            for kind, queue in context.queue.items()
        ]
        sources = tuple(
            partial(_keys, client, resource, scope) for resource in OWN for scope in settings.scopes
        )
        watches = Watches(self.connection, settings, Sieve(context.queue, context.waiters))

        async def watch(started: asyncio.Event, stop: asyncio.Event) -> None:
            await _wait_until_served(client)
            for key in kinds.first:
                context.queue.add(key)
            await watches.run(started, stop)

        return Parts(
            lease=lease,
            queues=context.queue,
            controllers=controllers,
            resync=Resync((*sources, *kinds.sources), context.queue.add, settings.resync_seconds),
            watch=watch,
            progress=progress,
            metrics=self.metrics,
            drain_seconds=settings.drain_seconds,
        )


async def _keys(client: Client, resource: Resource, scope: str | None) -> AsyncIterator[Key]:
    async for namespace, name in client.names(resource, scope):
        yield Key(resource.kind, namespace, name)


async def _wait_until_served(client: Client) -> None:
    """Wait for our CRDs: Kopf would watch nothing at all if they came after it."""
    for resource in OWN:
        while not await client.serves(resource):
            logger.warning("Waiting for the CRD of %s to be installed", resource)
            await asyncio.sleep(SERVED_RETRY_SECONDS)


def _lease_settings(settings: Settings) -> LeaseSettings:
    return LeaseSettings(
        namespace=settings.lease_namespace,
        name=settings.lease_name,
        identity=settings.identity,
        duration=settings.lease_seconds,
        renew=settings.renew_seconds,
        retry=settings.lease_retry_seconds,
    )


async def start(settings: Settings) -> int:
    """Connect and run; gives the exit code."""
    registry = CollectorRegistry()
    connection = await Connection.load(settings.kubeconfig or None)
    gc.freeze()  # what has been imported stays: no need to look through it at each collection
    return await Operator(settings, connection, registry, Metrics(registry), assemble).run()


def main() -> int:
    """Run the operator with the flags and the environment of this process."""
    settings = Settings.parse()
    logs.configure(settings.log_level)
    return asyncio.run(start(settings))


if __name__ == "__main__":
    sys.exit(main())
