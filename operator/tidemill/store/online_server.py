"""A connection to an online store: to an address that was judged, encrypted, with a login.

The name of the host is resolved for each connection, and only addresses that may be are connected
to; the certificate is still proved for the name. What fails is told without a word of what the
server says but its code: a text of it may name a user or a key.
"""

import asyncio
import socket
import ssl
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from redis.asyncio import BlockingConnectionPool, Connection
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.credentials import CredentialProvider
from redis.exceptions import (
    AuthenticationError,
    BusyLoadingError,
    NoPermissionError,
)
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import TimeoutError as NotInTime

from tidemill.store.database_addresses import DatabaseAddresses

USERNAME, PASSWORD, AUTHORITY = "username", "password", "ca.crt"  # keys of the Secret
SETTING = "TIDEMILL_HTTP_ALLOWED_NETWORKS"


@dataclass(frozen=True)
class OnlineServer:
    """Where an online store is, and how it is spoken to."""

    host: str
    port: int
    tls: str
    addresses: DatabaseAddresses

    @property
    def where(self) -> str:
        """Name it for a message."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}"


@dataclass(frozen=True)
class OnlineLogin:
    """What the Secret holds: with an empty password none is sent."""

    password: str = field(default="", repr=False)
    username: str = field(default="", repr=False)
    authority: str = field(default="", repr=False)

    @classmethod
    def of(cls, values: Mapping[str, str]) -> "OnlineLogin":
        """Take it from the Secret's keys."""
        return cls(values.get(PASSWORD, ""), values.get(USERNAME, ""), values.get(AUTHORITY, ""))

    @classmethod
    def from_dir(cls, folder: Path) -> "OnlineLogin":
        """Read it where the Secret is mounted."""
        values = {}
        for key in (PASSWORD, USERNAME, AUTHORITY):
            path = folder / key
            values[key] = path.read_text("utf-8").strip() if path.exists() else ""
        return cls.of(values)


class AddressRefused(Exception):  # noqa: N818 - says what became of it
    """The host leads to an address that no online store of a user has."""


_REFUSED = (
    "its address is loopback, link-local, of a cloud's metadata or the API server's: have the "
    f"administrator allow its network with {SETTING}"
)
_Words = tuple[tuple[tuple[type[BaseException], ...], str], ...]
# What the client reports in words of its own has one of these behind it.
_TROUBLE_BELOW: _Words = (
    ((AddressRefused,), _REFUSED),
    (
        (ssl.SSLCertVerificationError,),
        "its certificate does not prove its name: see tls, and the key ca.crt of the Secret",
    ),
    (
        (ssl.SSLError,),
        "it does not speak TLS as it is asked to: see tls, and the key ca.crt of the Secret",
    ),
    ((socket.gaierror, UnicodeError), "the name of its host is not known"),
)
_TROUBLE: _Words = (
    (
        (AuthenticationError, NoPermissionError),
        "it refuses the login of the Secret, or wants one: see credentialsRef",
    ),
    ((BusyLoadingError,), "it is still loading its data"),
    ((TimeoutError, NotInTime), "it does not answer in time"),
    ((RedisConnectionError, OSError), "it cannot be connected to"),
)


def pool(
    server: OnlineServer, login: Callable[[], OnlineLogin], connections: int
) -> BlockingConnectionPool:
    """Make connections as they are needed, no more than so many; the login is read for each."""
    return BlockingConnectionPool(
        connection_class=_Judged,
        max_connections=connections,
        timeout=None,  # whoever asks bounds the whole
        server=server,
        login=login,
        protocol=2,
        driver_info=None,  # nothing is sent but what was asked for
        # One that the server has closed meanwhile is replaced at once.
        retry=Retry(NoBackoff(), 1),
        socket_timeout=None,
        socket_connect_timeout=None,
    )


def trouble(error: BaseException) -> str:
    """Say in a few words what kept the store from answering."""
    causes = chain(error)
    for kinds, words in _TROUBLE_BELOW:
        if any(isinstance(one, kinds) for one in causes):
            return words
    for kinds, words in _TROUBLE:
        if isinstance(error, kinds):
            return words
    return f"it fails with {type(error).__name__}"


def chain(error: BaseException) -> list[BaseException]:
    """Give an error and what it was made from: redis-py wraps what ends a connection."""
    found: list[BaseException] = []
    step: BaseException | None = error
    while step is not None and step not in found:
        found.append(step)
        step = step.__cause__ or step.__context__
    return found


class _Login(CredentialProvider):
    """Reads the login when it is needed: a Secret may have changed since."""

    def __init__(self, login: Callable[[], OnlineLogin]) -> None:
        self._login = login

    async def get_credentials_async(self) -> Any:  # noqa: ANN401 - none at all, or one or two
        login = self._login()
        if not login.password:
            return ()
        return (login.username, login.password) if login.username else (login.password,)


class _Judged(Connection):
    """Connects to an address that the host's name leads to, once that is judged."""

    def __init__(
        self,
        *,
        server: OnlineServer,
        login: Callable[[], OnlineLogin],
        **options: Any,  # noqa: ANN401 - as above it
    ) -> None:
        super().__init__(
            host=server.host, port=server.port, credential_provider=_Login(login), **options
        )
        self._server = server
        self._login = login
        self._address = ""

    def _connection_arguments(self) -> Mapping[str, Any]:
        context = _tls(self._server, self._login())
        named = {"ssl": context, "server_hostname": self._server.host} if context else {}
        return {"host": self._address, "port": self._server.port, **named}

    async def _connect(self) -> None:
        failed: Exception | None = None
        for address in await _resolved(self._server):
            self._address = address
            try:
                await super()._connect()  # type: ignore[no-untyped-call]
            except OSError as error:
                failed = error
            else:
                return
        raise failed or OSError("no address")


async def _resolved(server: OnlineServer) -> list[str]:
    found = await asyncio.get_running_loop().getaddrinfo(
        server.host, server.port, type=socket.SOCK_STREAM
    )
    addresses = list(dict.fromkeys(str(info[4][0]) for info in found))
    permitted = [address for address in addresses if server.addresses.permit(address)]
    if not permitted:
        raise AddressRefused
    return permitted


def _tls(server: OnlineServer, login: OnlineLogin) -> ssl.SSLContext | None:
    if server.tls == "Disable":
        return None
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    if server.tls == "Require":
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    elif login.authority:
        try:
            context.load_verify_locations(cadata=login.authority)
        except ValueError as error:
            raise ssl.SSLError("ca.crt holds no certificate in PEM") from error
    else:
        context.load_default_certs()
    return context
