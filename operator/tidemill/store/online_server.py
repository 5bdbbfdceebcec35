"""The server of an online store (Redis, Valkey), at an address that was judged.

The name of the host is resolved at each connection, and only addresses that may be are connected
to; the certificate is still proved for the name.
"""

import asyncio
import socket
import ssl
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from redis import exceptions
from redis.asyncio import Connection, ConnectionPool, Redis

from tidemill.store import online_errors as errors
from tidemill.store.database_addresses import DatabaseAddresses
from tidemill.store.online_errors import OnlineError

CONNECT_SECONDS = 10.0
USERNAME, PASSWORD, AUTHORITY = "username", "password", "ca.crt"  # keys of the Secret
# What a client's calls may raise.
ERRORS = (exceptions.RedisError, OSError, TimeoutError, asyncio.IncompleteReadError)


@dataclass(frozen=True)
class Server:
    """Where an online store is, and how it is spoken to; `field` is where the spec says so."""

    host: str
    port: int
    tls: str
    addresses: DatabaseAddresses
    field: str = "spec.online"

    @property
    def where(self) -> str:
        """Name it for a message."""
        return f"the online store at {self.host}:{self.port}"


@dataclass(frozen=True)
class Login:
    """What the Secret of the name `secret` holds; without one, nothing."""

    secret: str | None = None
    username: str = field(default="", repr=False)
    password: str = field(default="", repr=False)
    authority: str = field(default="", repr=False)


@asynccontextmanager
async def connected(server: Server, login: Login, seconds: float) -> AsyncIterator[Any]:
    """Give a client with one connection, each of whose calls may take so long.

    Raises OnlineError for whatever the server or the way to it is to blame for.
    """
    pool = ConnectionPool(
        connection_class=_Judged,
        max_connections=1,
        server=server,
        context=_tls(server, login),
        username=login.username or None,
        password=login.password or None,
        socket_connect_timeout=CONNECT_SECONDS,
        socket_timeout=seconds,
        retry=None,
        protocol=2,
        # Servers of old, and users of few rights, do not know what it would tell them.
        driver_info=None,
    )
    client = Redis(connection_pool=pool)
    try:
        yield client
    except ERRORS as error:
        raise errors.of(error, server.where, login.secret, server.field) from None
    finally:
        await client.aclose()
        await pool.disconnect()


class _Judged(Connection):
    """Resolves the host itself, and connects to what it may."""

    def __init__(self, *, server: Server, context: ssl.SSLContext | None, **options: Any) -> None:  # noqa: ANN401 - redis-py's own
        super().__init__(host=server.host, port=server.port, **options)
        self._server = server
        self._context = context

    def _connection_arguments(self) -> Mapping[str, Any]:
        encrypted = {"ssl": self._context, "server_hostname": self._server.host}
        plain = {"host": self.host, "port": self.port}
        return {**plain, **encrypted} if self._context else plain

    async def _connect(self) -> None:
        last: Exception | None = None
        for address in await _resolved(self._server):
            self.host = address
            try:
                await super()._connect()  # type: ignore[no-untyped-call]
            except (OSError, TimeoutError) as error:
                last = error
            else:
                return
        raise last or OSError("no address")


async def _resolved(server: Server) -> list[str]:
    """Resolve the host to the addresses that may be connected to; raises OnlineError."""
    try:
        async with asyncio.timeout(CONNECT_SECONDS):
            found = await asyncio.get_running_loop().getaddrinfo(
                server.host, server.port, type=socket.SOCK_STREAM
            )
    except TimeoutError:
        raise errors.unavailable(server.where, "the name of the host is not answered") from None
    except (OSError, UnicodeError):
        raise errors.unavailable(server.where, "the name of the host is not known") from None
    addresses = list(dict.fromkeys(str(info[4][0]) for info in found))
    permitted = [address for address in addresses if server.addresses.permit(address)]
    if not permitted:
        raise errors.forbidden(server.host, server.field)
    return permitted


def _tls(server: Server, login: Login) -> ssl.SSLContext | None:
    if server.tls == "Disable":
        return None
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    if server.tls == "Require":
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        return context
    if not login.authority:
        context.load_default_certs()
        return context
    try:
        context.load_verify_locations(cadata=login.authority)
    except (ssl.SSLError, ValueError):
        raise OnlineError(
            errors.OnlineReason.DENIED,
            f"the key {AUTHORITY} of the Secret {login.secret} holds no certificate in PEM: "
            "correct or remove it",
        ) from None
    return context
