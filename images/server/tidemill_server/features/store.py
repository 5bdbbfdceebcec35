"""The online store as a request asks it: all rows at once, within a time, or not at all.

Its pool of connections lives as long as the process. That it does not answer is logged once, and
once that it answers again, but not for each of many changes: the server stays ready, for it still
answers who brings all columns.
"""

import asyncio
import contextlib
import logging
import math
import time
from collections.abc import Iterator, Sequence
from functools import partial
from typing import Any

from redis.asyncio import Redis
from redis.exceptions import RedisError

from tidemill.store.addresses import AllowedNetworks
from tidemill.store.database_addresses import DatabaseAddresses, api_server
from tidemill.store.online_server import OnlineLogin, OnlineServer, pool, trouble
from tidemill_server.features.lookup import Unavailable
from tidemill_server.settings import Online

CONNECTIONS = 16
QUIET_SECONDS = 10.0  # between two warnings
FIRST_SECONDS = 2.0  # for the connection that is made before anybody waits for it

log = logging.getLogger(__name__)


class OnlineFeatures:
    """Asks for rows by their names."""

    def __init__(self, settings: Online) -> None:
        allowed = AllowedNetworks.parse(settings.networks)
        addresses = DatabaseAddresses(allowed, api_server())
        server = OnlineServer(settings.host, settings.port, settings.tls, addresses)
        login = partial(OnlineLogin.from_dir, settings.secret) if settings.secret else OnlineLogin
        self.where = server.where
        self._seconds = settings.seconds
        self._client = Redis(connection_pool=pool(server, login, CONNECTIONS))
        self._away = False
        self._warned = -math.inf

    async def connect(self, name: str) -> None:
        """Make the first connection, by a name that may be asked for; an absent store is logged."""
        with contextlib.suppress(Unavailable):
            await self._bounded([[name]], max(self._seconds, FIRST_SECONDS))

    async def rows(self, names: Sequence[Sequence[str]]) -> list[list[bytes | None]]:
        """The texts of the rows of each table, None where there is none; raises Unavailable."""
        return await self._bounded(names, self._seconds)

    async def _bounded(
        self, names: Sequence[Sequence[str]], seconds: float
    ) -> list[list[bytes | None]]:
        try:
            async with asyncio.timeout(seconds):
                found = await self._ask(names)
        except (RedisError, OSError, UnicodeError) as error:
            why = f"the online store {self.where} does not answer: {trouble(error)}"
            self._warn(why, error)
            raise Unavailable(why) from None
        if self._away:
            log.info("the online store answers again")
        self._away = False
        return found

    def _warn(self, why: str, error: Exception) -> None:
        now = time.monotonic()
        if not self._away and now - self._warned >= QUIET_SECONDS:
            log.warning("%s", why, extra={"error": type(error).__name__})
            self._away, self._warned = True, now

    async def _ask(self, names: Sequence[Sequence[str]]) -> list[list[bytes | None]]:
        asked = [each for each in names if each]
        if len(asked) == 1:
            found = [await self._client.mget(asked[0])]
        elif asked:
            async with self._client.pipeline(transaction=False) as pipe:
                for each in asked:
                    pipe.mget(each)
                found = await pipe.execute()
        else:
            return [[] for _ in names]
        answers: Iterator[list[Any]] = iter(found)
        return [next(answers) if each else [] for each in names]
