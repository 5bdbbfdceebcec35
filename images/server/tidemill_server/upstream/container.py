"""The container that the server stands before: asked again and again whether it is ready."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from tidemill_server.lifecycle.state import ISSUER_UNAVAILABLE, State
from tidemill_server.protocol.errors import ProtocolError
from tidemill_server.upstream.pool import Pool
from tidemill_server.upstream.question import looking
from tidemill_server.upstream.told import Upstream

PAGE_BYTES = 1024 * 1024  # what it says of being ready may be a whole page
LOOK_SECONDS = 5.0  # for its answer
PAUSE, READY_PAUSE = 0.25, 1.0  # between two looks
NOT_READY = "ContainerNotReady"

log = logging.getLogger(__name__)


@dataclass
class Container:
    """Where it is, and what is known of it."""

    told: Upstream
    state: State
    admitting: Callable[[], Awaitable[None]] | None = None  # returns when who may ask is known
    withheld: frozenset[bytes] = frozenset()  # headers that are not for it
    pool: Pool = field(init=False)

    def __post_init__(self) -> None:
        self.pool = Pool(self.told)

    async def start(self) -> None:
        """Look until the end; never returns."""
        told: str | None = None
        if self.admitting is not None:
            self.state.waiting(ISSUER_UNAVAILABLE, "waiting for the keys of the issuer")
            await self.admitting()
        while True:
            why = await self._why_not()
            self.state.follow(NOT_READY, why)
            if why != told:
                log.info("not ready" if why else "ready", extra={"why": why} if why else {})
                told = why
            await asyncio.sleep(PAUSE if why else READY_PAUSE)

    async def _why_not(self) -> str:
        """Why it is not ready; nothing where it is."""
        path = self.told.ready
        try:
            async with asyncio.timeout(LOOK_SECONDS):
                question = looking(path, self.told.authority)
                status = (await self.pool.ask(question, PAGE_BYTES)).status
        except TimeoutError:
            return f"the model's container did not answer GET {path} within {LOOK_SECONDS:g} s"
        except ProtocolError as error:
            return error.message
        if 200 <= status < 300:
            return ""
        return f"the model's container answers GET {path} with {status}"
