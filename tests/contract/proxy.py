"""A proxy in front of a store that counts what is asked and spoils answers as it is told.

It passes on what it is sent, the Host header too, so that signatures stay valid.
"""

import http.client
import itertools
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from tidemill.store.config import StoreConfig

AT_ONCE = 512  # connections that may wait to be taken
HOP = {"connection", "transfer-encoding", "keep-alive", "content-length"}
_MESSAGE = "<Error><Code>{}</Code><Message>the test wants it so</Message></Error>"


@dataclass(frozen=True)
class Asked:
    """One request; `number` counts those of its method and path, from 1."""

    method: str
    path: str
    headers: Mapping[str, str]
    number: int

    @property
    def lists(self) -> bool:
        return self.method == "GET" and "list-type=2" in self.path


@dataclass(frozen=True)
class Spoil:
    """What is done with one request; nothing of it: it is passed on."""

    status: int = 0  # answered in the store's place, with a code
    code: str = ""
    drop: bool = False  # the connection is reset before the store hears of it
    lose: bool = False  # the store does what it is asked, the answer is lost in a reset
    cut: int | None = None  # bytes of the body after which the connection ends
    trickle: float = 0.0  # seconds before the answer and between the bytes of its body
    endless: bool = False  # the body goes on for ever, its length untold
    without: tuple[str, ...] = ()  # headers, in small letters, that the store never sees
    first_page: bool = False  # whatever page of a listing is asked for, the first is given


Rule = Callable[[Asked], Spoil | None]


@dataclass
class Proxy:
    """Where the store seems to be, and what was asked of it."""

    port: int
    asked: list[Asked] = field(default_factory=list)
    rule: Rule = lambda _: None
    page: bytes = b""  # of a listing, where it is to be given again
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def before(self, config: StoreConfig) -> StoreConfig:
        """The same store by way of here."""
        return replace(config, endpoint=f"http://127.0.0.1:{self.port}")

    def note(self, method: str, path: str, headers: Mapping[str, str]) -> Asked:
        with self._lock:
            number = 1 + sum((one.method, one.path) == (method, path) for one in self.asked)
            self.asked.append(Asked(method, path, headers, number))
            return self.asked[-1]


@contextmanager
def proxy(config: StoreConfig) -> Iterator[Proxy]:
    """One that ends with the context; a rule may be set at any time."""

    class Handler(_Handler):
        store = config.host

    with _Threads(("127.0.0.1", 0), Handler) as server:
        Handler.proxy = Proxy(int(server.server_address[1]))
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        try:
            yield Handler.proxy
        finally:
            server.shutdown()


class _Threads(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = AT_ONCE

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Keep quiet: connections that break are meant to."""


class _Handler(BaseHTTPRequestHandler):
    proxy: Proxy
    store: str
    protocol_version = "HTTP/1.1"

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
        """Keep quiet."""

    def do(self) -> None:
        headers = {name.lower(): value for name, value in self.headers.items()}
        body = self.rfile.read(int(headers.get("content-length", 0)))
        asked = self.proxy.note(self.command, self.path, headers)
        spoil = self.proxy.rule(asked) or Spoil()
        if spoil.drop:
            return self._reset()
        if spoil.status:
            return self._send(spoil.status, {}, _MESSAGE.format(spoil.code).encode())
        return self._pass_on(spoil, headers, body)

    do_GET = do_HEAD = do_PUT = do_POST = do_DELETE = do  # noqa: N815 - http.server's names

    def _pass_on(self, spoil: Spoil, headers: Mapping[str, str], body: bytes) -> None:
        kept = {name: value for name, value in headers.items() if name not in spoil.without}
        connection = http.client.HTTPConnection(self.store, timeout=60)
        try:
            connection.putrequest(
                self.command, self.path, skip_host=True, skip_accept_encoding=True
            )
            for name, value in kept.items():
                connection.putheader(name, value)
            connection.endheaders(body)
            answer = connection.getresponse()
            data = answer.read()
        finally:
            connection.close()
        if spoil.lose:
            return self._reset()
        if spoil.first_page:
            data = self.proxy.page = self.proxy.page or data
        told = {name: value for name, value in answer.getheaders() if name.lower() not in HOP}
        length = answer.getheader("Content-Length") if self.command == "HEAD" else None
        if spoil.endless:
            return self._go_on_for_ever(answer.status, told, data)
        return self._send(answer.status, told, data, spoil=spoil, length=length)

    def _send(
        self,
        status: int,
        headers: Mapping[str, str],
        body: bytes,
        *,
        spoil: Spoil | None = None,
        length: str | None = None,
    ) -> None:
        if spoil is not None and spoil.trickle:
            time.sleep(spoil.trickle)
        self._begin(status, headers, {"Content-Length": length or str(len(body))})
        if self.command == "HEAD":
            return
        if spoil is not None and spoil.trickle:
            for place in range(len(body)):
                self.wfile.write(body[place : place + 1])
                time.sleep(spoil.trickle)
        elif spoil is not None and spoil.cut is not None and spoil.cut < len(body):
            self.wfile.write(body[: spoil.cut])
            self.close_connection = True
        else:
            self.wfile.write(body)

    def _go_on_for_ever(self, status: int, headers: Mapping[str, str], body: bytes) -> None:
        self._begin(status, headers, {"Transfer-Encoding": "chunked"})
        piece = (body or b"x") * (1 + 65536 // max(len(body), 1))
        for _ in itertools.count():
            self.wfile.write(f"{len(piece):x}\r\n".encode() + piece + b"\r\n")

    def _begin(self, status: int, *headers: Mapping[str, str]) -> None:
        self.send_response_only(status)
        for some in headers:
            for name, value in some.items():
                self.send_header(name, value)
        self.end_headers()

    def _reset(self) -> None:
        """End the connection as a machine does that has gone."""
        self.wfile.flush()
        linger = struct.pack("ii", 1, 0)
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        self.close_connection = True
        self.connection.close()
