"""A document of an issuer, over HTTPS, within bounds of time and size, from where it may be.

Addresses are checked as they are connected to: what a name leads to may change in between. Nothing
is followed elsewhere.
"""

import asyncio
import http.client
import socket
import ssl
import time
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlsplit

SECONDS = 5.0
MAX_BYTES = 1024 * 1024


class _Connection(http.client.HTTPSConnection):
    """To an address that is permitted."""

    def __init__(
        self, host: str, port: int, context: ssl.SSLContext, permit: Callable[[str], bool]
    ) -> None:
        super().__init__(host, port, timeout=SECONDS, context=context)
        self._tls = context
        self._permit = permit

    def connect(self) -> None:
        reasons = []
        for family, kind, proto, _, address in socket.getaddrinfo(
            self.host, self.port, type=socket.SOCK_STREAM
        ):
            if not self._permit(str(address[0])):
                reasons.append(f"{address[0]} is not an address that an issuer may have")
                continue
            plain = socket.socket(family, kind, proto)
            plain.settimeout(SECONDS)
            try:
                plain.connect(address)
                self.sock = self._tls.wrap_socket(plain, server_hostname=self.host)
            except OSError as error:
                plain.close()
                reasons.append(str(error))
            else:
                return
        raise OSError(f"{self.host}: {'; '.join(reasons) or 'no address'}")


def fetch(url: str, authorities: Path | None, permit: Callable[[str], bool]) -> bytes:
    """The document at an address; raises OSError or ValueError."""
    # Made each time: the file may have changed.
    context = ssl.create_default_context(cafile=authorities)
    parts = urlsplit(url)
    if parts.scheme != "https" or not parts.hostname:
        raise ValueError(f"{url[:200]} is no address of https")
    path = parts.path or "/"
    connection = _Connection(parts.hostname, parts.port or 443, context, permit)
    try:
        connection.request("GET", f"{path}?{parts.query}" if parts.query else path)
        answer = connection.getresponse()
        body = _read(answer, time.monotonic() + SECONDS, url)
    except http.client.HTTPException as error:
        raise OSError(f"{url[:200]}: {type(error).__name__}") from None
    finally:
        connection.close()
    if answer.status != 200:
        raise OSError(f"{url[:200]} answers {answer.status}")
    return body


def _read(answer: http.client.HTTPResponse, until: float, url: str) -> bytes:
    body = b""
    while piece := answer.read1(MAX_BYTES):
        body += piece
        if len(body) > MAX_BYTES:
            raise ValueError(f"{url[:200]} is larger than {MAX_BYTES} bytes")
        if time.monotonic() > until:
            raise OSError(f"{url[:200]} does not come within {SECONDS:g} s")
    return body


class Fetcher:
    """Fetches in a thread. `authorities`: a file of certificates; None: the public ones."""

    def __init__(self, authorities: Path | None, permit: Callable[[str], bool]) -> None:
        self._authorities = authorities
        self._permit = permit

    async def __call__(self, url: str) -> bytes:
        return await asyncio.to_thread(fetch, url, self._authorities, self._permit)
