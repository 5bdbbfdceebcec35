"""The operator's HTTP port: probes, metrics, and the routes it is handed.

`/healthz` restarts the process when it makes no progress, `/readyz` tells whether it leads; both
say why not in plain text.
"""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field

from aiohttp import web
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest

from tidemill.engine.listener import Listener
from tidemill.engine.probes import Progress


@dataclass(slots=True)
class Server:
    """Serves on one address until stopped."""

    progress: Progress
    registry: CollectorRegistry
    routes: Sequence[web.RouteDef] = ()
    _listener: Listener | None = field(default=None, init=False)

    async def start(self, host: str, port: int) -> int:
        """Listen; gives the port, which differs when 0 was asked for."""
        self._listener = Listener(
            [
                web.get("/healthz", _probe(self.progress.stuck)),
                web.get("/readyz", _probe(self.progress.unready)),
                web.get("/metrics", self._metrics),
                *self.routes,
            ]
        )
        return await self._listener.start(host, port)

    async def stop(self) -> None:
        """End open requests and stop listening."""
        if self._listener is not None:
            await self._listener.stop()

    async def _metrics(self, _: web.Request) -> web.Response:
        body = generate_latest(self.registry)
        return web.Response(body=body, headers={"Content-Type": CONTENT_TYPE_LATEST})


def _probe(
    problem: Callable[[], str | None],
) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
    async def answer(_: web.Request) -> web.StreamResponse:
        found = problem()
        return web.Response(status=503 if found else 200, text=(found or "ok") + "\n")

    return answer
