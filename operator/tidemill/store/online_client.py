"""Calls to an online store, each bounded in time; what goes wrong is an OnlineError."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from redis.asyncio import Redis

from tidemill.store import online, online_errors
from tidemill.store.online import Meta, Table
from tidemill.store.online_errors import ERRORS
from tidemill.store.online_server import OnlineLogin, OnlineServer, pool

CALL_SECONDS = 30.0


@dataclass(frozen=True)
class OnlineClient:
    """One connection; `secret` is the name of the Secret that the login is from."""

    redis: Any  # redis-py tells its types only in part
    server: OnlineServer
    secret: str | None = None
    seconds: float = CALL_SECONDS

    async def call(self, *command: Any) -> Any:  # noqa: ANN401 - as the server answers
        """Do a command; raises OnlineError."""
        try:
            async with asyncio.timeout(self.seconds):
                return await self.redis.execute_command(*command)
        except ERRORS as error:
            raise online_errors.of(error, self.server, self.secret) from None

    async def meta(self, table: Table) -> Meta | None:
        """Read what is known of a table's rows; None where that is nothing, or nothing of ours."""
        text = await self.call("GET", table.meta)
        try:
            return online.decode_meta(text) if text else None
        except ValueError:
            return None


@asynccontextmanager
async def connected(
    server: OnlineServer, login: OnlineLogin, secret: str | None, seconds: float = CALL_SECONDS
) -> AsyncIterator[OnlineClient]:
    """Give a client, and close its connection in the end."""
    connections = pool(server, lambda: login, 1)
    try:
        yield OnlineClient(Redis(connection_pool=connections), server, secret, seconds)
    finally:
        await connections.disconnect()
