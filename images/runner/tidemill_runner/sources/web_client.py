"""Requests to a user's URL: each hop resolved once, its address checked, and that one connected to.

A name that is resolved a second time may lead elsewhere (DNS rebinding), so the connection is made
to the number that was checked; the name stays in the Host header and in the certificate's check.
"""

import socket
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import SplitResult

import urllib3
from urllib3 import exceptions

from tidemill.store import web
from tidemill.store.addresses import AllowedNetworks
from tidemill.store.web import RemoteFile, WebError
from tidemill_runner.failures import no_room

READ_SECONDS = 60.0


@dataclass(frozen=True)
class Answer:
    """An answer that brings the file or tells of it; read its body while it is open."""

    status: int
    headers: Mapping[str, str]
    body: urllib3.BaseHTTPResponse

    @property
    def file(self) -> RemoteFile:
        return RemoteFile.of(self.status, self.headers)

    @property
    def start(self) -> int:
        """The position in the file of the first byte of the body."""
        first = self.headers.get("Content-Range", "").removeprefix("bytes ").partition("-")[0]
        return int(first) if self.status == 206 and first.isdecimal() else 0


@dataclass(frozen=True)
class WebClient:
    """Asks with the headers of a Secret, which are sent to the URL's own host only."""

    allowed: AllowedNetworks
    headers: Mapping[str, str] = field(default_factory=dict)
    secret: str | None = None
    read_seconds: float = READ_SECONDS

    def probe(self, url: str) -> RemoteFile:
        """Ask as the operator asks, so that both see the same; raises WebError."""
        with self.open("HEAD", url) as answer:
            return answer.file

    @contextmanager
    def open(
        self, method: str, url: str, extra: Mapping[str, str] | None = None
    ) -> Iterator[Answer]:
        """The answer after all redirects; raises WebError, also while the body is read."""
        here, sent = url, dict(self.headers)
        for _ in range(web.MAX_REDIRECTS + 1):
            headers = web.request_headers(sent) | dict(extra or {})
            with self._hop(method, here, headers) as answer:
                following = web.next_hop(here, answer.status, answer.headers)
                if following is None:
                    secret = self.secret if sent else None
                    fault = web.refusal(here, answer.status, answer.headers, secret)
                    if fault:
                        raise fault
                    yield answer
                    return
            if not web.same_origin(here, following):
                sent = {}
            here = following
        raise web.too_many_hops(url)

    @contextmanager
    def _hop(self, method: str, url: str, headers: dict[str, str]) -> Iterator[Answer]:
        with self._request(method, url, headers) as answer:
            if method != "HEAD" or answer.status not in web.HEAD_UNKNOWN:
                yield answer
                return
        with self._request("GET", url, headers | web.ONE_BYTE) as answer:
            yield answer

    @contextmanager
    def _request(self, method: str, url: str, headers: dict[str, str]) -> Iterator[Answer]:
        parts = web.parse(url)
        with _errors(url):
            response, pool = self.connected(method, parts, headers)
            try:
                yield Answer(response.status, response.headers, response)
            finally:
                response.close()
                pool.close()

    def connected(
        self, method: str, parts: SplitResult, headers: dict[str, str], body: bytes | None = None
    ) -> tuple[urllib3.BaseHTTPResponse, urllib3.HTTPConnectionPool]:
        """One request to an address that was checked, no redirect followed; both are to be closed.

        Raises what urllib3 raises, and WebError for an address that is not allowed.
        """
        path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        failed: exceptions.HTTPError | None = None
        for address in self._addresses(parts):
            pool = self._pool(parts, address)
            try:
                response = pool.urlopen(
                    method,
                    path,
                    body=body,
                    headers={"Host": parts.netloc, **headers},
                    redirect=False,
                    retries=False,
                    assert_same_host=False,
                    preload_content=False,
                    decode_content=False,
                )
            except (exceptions.NewConnectionError, exceptions.ConnectTimeoutError) as error:
                failed = error
                pool.close()
            else:
                return response, pool
        raise failed or exceptions.HTTPError("no address")

    def _addresses(self, parts: SplitResult) -> Iterator[str]:
        host, port = parts.hostname or "", parts.port or 0
        for *_, place in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM):
            address = str(place[0])
            if not self.allowed.permit(address):
                raise web.address_forbidden(host)
            yield address

    def _pool(self, parts: SplitResult, address: str) -> urllib3.HTTPConnectionPool:
        options: dict[str, Any] = {
            "timeout": urllib3.Timeout(connect=web.CONNECT_SECONDS, read=self.read_seconds),
            "retries": False,
        }
        if parts.scheme == "http":
            return urllib3.HTTPConnectionPool(address, parts.port or 80, **options)
        # The certificate is the name's, not the number's.
        name = parts.hostname
        return urllib3.HTTPSConnectionPool(
            address, parts.port or 443, server_hostname=name, assert_hostname=name, **options
        )


@contextmanager
def _errors(url: str) -> Iterator[None]:
    try:
        yield
    except WebError:
        raise
    except (socket.gaierror, UnicodeError):
        raise web.unavailable(url, "the name of the host is not known") from None
    except exceptions.SSLError:
        raise web.unavailable(url, "the server's certificate is not trusted") from None
    except (exceptions.IncompleteRead, exceptions.ProtocolError):
        raise web.unavailable(url, "the connection broke") from None
    except (exceptions.HTTPError, OSError) as error:
        if no_room(error):
            raise  # of the file that is written, not of the server
        why = f"the server does not answer ({type(error).__name__})"
        raise web.unavailable(url, why) from None
