"""Asking a web server for the state of a file, without its bytes.

By HEAD, and where a server does not know it by GET for one byte. The question is put without
conditions: neither HEAD nor "304 Not Modified" carries a body, so they would save nothing, and the
operator would have to remember what it saw.

The address is checked where the socket is made, for every hop: what is checked is what is connected
to, whatever the name resolves to a moment later.
"""

import asyncio
import socket
from collections.abc import Mapping
from dataclasses import dataclass, field

import aiohttp
from yarl import URL

from tidemill.store import web
from tidemill.store.addresses import AllowedNetworks
from tidemill.store.web import RemoteFile

SECONDS = 20.0


class _ForbiddenAddress(Exception):  # noqa: N818 - no OSError, after which the next would be tried
    """The name of a host leads where it may not."""


@dataclass(frozen=True, slots=True)
class WebProbe:
    """One question; `headers` are those of the Secret `secret`, sent to the URL's own host only."""

    allowed: AllowedNetworks
    headers: Mapping[str, str] = field(default_factory=dict)
    secret: str | None = None
    seconds: float = SECONDS

    async def ask(self, url: str) -> RemoteFile:
        """Find out what the server says of the file; raises WebError."""
        web.parse(url)
        try:
            async with asyncio.timeout(self.seconds), self._opened() as client:
                return await self._follow(client, url)
        except TimeoutError:
            raise web.unavailable(url, f"no answer within {self.seconds:g} s") from None
        except aiohttp.ClientConnectorDNSError:
            raise web.unavailable(url, "the name of the host is not known") from None
        except aiohttp.ClientConnectorCertificateError:
            raise web.unavailable(url, "the server's certificate is not trusted") from None
        except aiohttp.InvalidURL:
            raise web.unusable(url) from None
        except (aiohttp.ClientError, OSError) as error:
            why = f"the server does not answer ({type(error).__name__})"
            raise web.unavailable(url, why) from None

    def _opened(self) -> aiohttp.ClientSession:
        connector = aiohttp.TCPConnector(
            socket_factory=self._socket,
            # One address after the other: racing would hide why one was refused.
            happy_eyeballs_delay=None,
            use_dns_cache=False,
            force_close=True,
        )
        return aiohttp.ClientSession(
            connector=connector,
            cookie_jar=aiohttp.DummyCookieJar(),
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=web.CONNECT_SECONDS),
            auto_decompress=False,
        )

    def _socket(self, info: aiohttp.AddrInfoType) -> socket.socket:
        family, kind, proto, _, address = info
        if not self.allowed.permit(str(address[0])):
            raise _ForbiddenAddress
        return socket.socket(family, kind, proto)

    async def _follow(self, client: aiohttp.ClientSession, url: str) -> RemoteFile:
        here, sent = url, dict(self.headers)
        for _ in range(web.MAX_REDIRECTS + 1):
            try:
                status, headers = await self._answer(client, here, web.request_headers(sent))
            except _ForbiddenAddress:
                raise web.address_forbidden(URL(here).host or "") from None
            following = web.next_hop(here, status, headers)
            if following is None:
                secret = self.secret if sent else None
                if fault := web.refusal(here, status, headers, secret):
                    raise fault
                return RemoteFile.of(status, headers)
            if not web.same_origin(here, following):
                sent = {}
            here = following
        raise web.too_many_hops(url)

    async def _answer(
        self, client: aiohttp.ClientSession, url: str, headers: dict[str, str]
    ) -> tuple[int, Mapping[str, str]]:
        status, found = await _request(client, "HEAD", url, headers)
        if status in web.HEAD_UNKNOWN:
            return await _request(client, "GET", url, headers | web.ONE_BYTE)
        return status, found


async def _request(
    client: aiohttp.ClientSession, method: str, url: str, headers: dict[str, str]
) -> tuple[int, Mapping[str, str]]:
    target = URL(url, encoded=True)  # as it is written: a signature is over these characters
    async with client.request(method, target, headers=headers, allow_redirects=False) as response:
        response.close()  # a server that knows no ranges sends the whole file: it is not read
        return response.status, dict(response.headers)
