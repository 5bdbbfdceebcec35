"""One read-only transaction on a PostgreSQL server, at an address that was judged.

The name of the host is resolved once, and only addresses that may be are connected to; the
certificate is still proved for the name. All limits are set for the transaction alone, so that a
pooler in between does not mind them.

Repeatable read gives one snapshot for probe and rows alike. Serializable would add nothing to one
query, and servers that replicate, which are best to read from, do not know it.
"""

import asyncio
import socket
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import asyncpg

from tidemill.store import postgres_errors as errors
from tidemill.store.database_addresses import DatabaseAddresses
from tidemill.store.postgres_errors import FIELD, DatabaseError, DatabaseReason

CONNECT_SECONDS = 10.0
CLOSE_SECONDS = 5.0
IDLE_SECONDS = 300  # between two batches: the server lets go of who has vanished
USERNAME, PASSWORD, AUTHORITY = "username", "password", "ca.crt"  # keys of the Secret


@dataclass(frozen=True)
class Server:
    """Where a database is, and how it is spoken to."""

    host: str
    port: int
    database: str
    tls: str
    addresses: DatabaseAddresses

    @property
    def where(self) -> str:
        """Name it for a message."""
        return f"database {self.database} at {self.host}:{self.port}"


@dataclass(frozen=True)
class Login:
    """What the Secret of the name `secret` holds."""

    secret: str
    username: str = field(repr=False)
    password: str = field(repr=False)
    authority: str = field(default="", repr=False)

    @property
    def values(self) -> tuple[str, ...]:
        """Give what no message may hold."""
        return (self.password, self.username)


class _Named(ssl.SSLContext):
    """Proves a certificate for the host's name although its address is connected to."""

    name: str

    def wrap_bio(self, *args: Any, **options: Any) -> ssl.SSLObject:  # noqa: ANN401 - as above it
        options["server_hostname"] = self.name
        return super().wrap_bio(*args, **options)


@asynccontextmanager
async def transaction(server: Server, login: Login, seconds: int) -> AsyncIterator[Any]:
    """Open a connection in a read-only transaction; no statement takes longer than `seconds`."""
    connection = await _connected(server, login)
    try:
        try:
            await connection.execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
            for name, value in _limits(seconds):
                await connection.execute(f"SET LOCAL {name} = '{value}'")
        except (asyncpg.PostgresError, asyncpg.InterfaceError, OSError) as error:
            raise errors.of_login(error, server.where, login.secret) from None
        yield connection
    finally:
        await _closed(connection)


def _limits(seconds: int) -> tuple[tuple[str, str], ...]:
    return (
        ("statement_timeout", f"{seconds}s"),
        ("idle_in_transaction_session_timeout", f"{IDLE_SECONDS}s"),
        ("TimeZone", "UTC"),
        ("DateStyle", "ISO"),
        ("extra_float_digits", "1"),  # every digit that tells a float from its neighbours
    )


async def _connected(server: Server, login: Login) -> Any:  # noqa: ANN401 - asyncpg has no types
    context = _tls(server, login)
    addresses = await _resolved(server)
    try:
        return await asyncpg.connect(
            host=addresses,
            port=[server.port] * len(addresses),
            user=login.username,
            password=login.password,
            database=server.database,
            ssl=context,
            timeout=CONNECT_SECONDS,
            statement_cache_size=0,  # nothing is asked twice, and poolers mix up names
        )
    except (asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError) as error:
        raise errors.of_login(error, server.where, login.secret) from None
    except (OSError, TimeoutError, ValueError) as error:
        raise errors.of_login(error, server.where, login.secret) from None


async def _closed(connection: Any) -> None:  # noqa: ANN401 - asyncpg has no types
    try:
        await connection.close(timeout=CLOSE_SECONDS)
    except (asyncpg.PostgresError, asyncpg.InterfaceError, OSError, TimeoutError):
        connection.terminate()


async def _resolved(server: Server) -> list[str]:
    """Resolve the host to the addresses that may be connected to; raises DatabaseError."""
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
        raise DatabaseError(
            DatabaseReason.FORBIDDEN,
            f"{FIELD}.host leads to {server.host}, whose address is loopback, link-local, of a "
            "cloud's metadata or the API server's: use the database's own address, or have the "
            f"administrator allow its network with {errors.SETTING}",
        )
    return permitted


def _tls(server: Server, login: Login) -> ssl.SSLContext | bool:
    if server.tls == "Disable":
        return False
    context = _Named(ssl.PROTOCOL_TLS_CLIENT)
    context.name = server.host
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
        raise DatabaseError(
            DatabaseReason.DENIED,
            f"the key {AUTHORITY} of the Secret {login.secret} holds no certificate in PEM: "
            "correct or remove it",
        ) from None
    return context
