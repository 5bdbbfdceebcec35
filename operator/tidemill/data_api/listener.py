"""The port that data is read through: apart from probes and progress, so that a right opens one."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from aiohttp import web

STOPPING_SECONDS = 5.0


@dataclass(slots=True)
class Listener:
    """Serves the routes on one address until stopped, whether this process leads or not."""

    routes: Sequence[web.RouteDef]
    _runner: web.AppRunner | None = field(default=None, init=False)

    async def start(self, host: str, port: int) -> int:
        """Listen; gives the port, which differs when 0 was asked for."""
        app = web.Application(client_max_size=1024)
        app.add_routes(self.routes)
        self._runner = web.AppRunner(
            app, access_log=None, handle_signals=False, shutdown_timeout=STOPPING_SECONDS
        )
        await self._runner.setup()
        await web.TCPSite(self._runner, host, port).start()
        bound: int = self._runner.addresses[0][1]
        return bound

    async def stop(self) -> None:
        """End open requests and stop listening."""
        if self._runner is not None:
            await self._runner.cleanup()
