"""One port of the operator, with the routes that it is handed."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from aiohttp import web

MAX_BODY = 64 * 1024


@dataclass(slots=True)
class Listener:
    """Serves the routes on one address until stopped, whether this process leads or not.

    `stopping_seconds` are given to open requests to end.
    """

    routes: Sequence[web.RouteDef]
    max_body: int = MAX_BODY
    stopping_seconds: float = 60.0
    _runner: web.AppRunner | None = field(default=None, init=False)

    async def start(self, host: str, port: int) -> int:
        """Listen; gives the port, which differs when 0 was asked for."""
        app = web.Application(client_max_size=self.max_body)
        app.add_routes(self.routes)
        self._runner = web.AppRunner(
            app, access_log=None, handle_signals=False, shutdown_timeout=self.stopping_seconds
        )
        await self._runner.setup()
        await web.TCPSite(self._runner, host, port).start()
        bound: int = self._runner.addresses[0][1]
        return bound

    async def stop(self) -> None:
        """End open requests and stop listening."""
        if self._runner is not None:
            await self._runner.cleanup()
