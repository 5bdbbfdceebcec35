"""A web server in the test's process whose pages misbehave as they are told."""

import socket
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any

HOST = "127.0.0.1"
MODIFIED = "Wed, 01 Jan 2025 00:00:00 GMT"
LOCAL = ("127.0.0.0/8", "::1/128")


@dataclass
class Page:
    """What lies at a path, and how it is sent."""

    body: bytes = b"a,b\n1,2\n3,4\n"
    etag: str | None = '"one"'
    modified: str | None = MODIFIED
    status: int = 200
    head: int | None = None  # the status of every answer to HEAD
    statuses: list[int] = field(default_factory=list)  # of the first answers, before `status`
    location: str | None = None
    needs: tuple[str, str] | None = None  # a header, without which it is 401
    encoding: str | None = None
    length: bool = True  # whether the length is told; else the body comes in chunks
    tell_head_length: bool = True
    ranges: bool = True
    cuts: list[int] = field(default_factory=list)  # bytes after which the next bodies break off
    endless: bool = False
    silent: threading.Event | None = None  # nothing is answered before it is set
    before_get: Callable[["Page"], None] = lambda _: None


@dataclass(frozen=True)
class Request:
    method: str
    path: str
    headers: dict[str, str]


@dataclass
class Site:
    """Pages by path; `requests` tells what was asked for."""

    host: str = HOST
    pages: dict[str, Page] = field(default_factory=dict)
    requests: list[Request] = field(default_factory=list)
    _server: ThreadingHTTPServer | None = None

    def url(self, path: str, host: str | None = None) -> str:
        assert self._server is not None
        return f"http://{host or self.host}:{self.port}{path}"

    @property
    def port(self) -> int:
        assert self._server is not None
        return int(self._server.server_address[1])

    def __enter__(self) -> "Site":
        self._server = _server(self.host, 0, type("Handler", (_Handler,), {"site": self}))
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        assert self._server is not None
        self._server.shutdown()
        self._server.server_close()


class _Threads(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Keep quiet: clients that go away are meant to."""


def _server(host: str, port: int, handler: type[BaseHTTPRequestHandler]) -> ThreadingHTTPServer:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    kind = type("Server", (_Threads,), {"address_family": family})
    return kind(((host, port)), handler)  # type: ignore[no-any-return]


class _Handler(BaseHTTPRequestHandler):
    site: Site
    protocol_version = "HTTP/1.1"

    def do_HEAD(self) -> None:
        self._answer()

    def do_GET(self) -> None:
        self._answer()

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
        """Keep quiet."""

    def _answer(self) -> None:
        self.close_connection = True
        path = self.path.partition("?")[0]
        self.site.requests.append(Request(self.command, self.path, dict(self.headers)))
        page = self.site.pages.get(path)
        if page is None:
            return self._bare(404)
        if page.silent is not None:
            page.silent.wait(30)
        if page.needs and self.headers.get(page.needs[0]) != page.needs[1]:
            return self._bare(401)
        if self.command == "HEAD" and page.head is not None:
            return self._bare(page.head)
        if self.command == "GET":
            page.before_get(page)
        status = page.statuses.pop(0) if page.statuses else page.status
        if page.location is not None or status >= 400:
            return self._bare(status, page.location)
        return self._send(page, status)

    def _bare(self, status: int, location: str | None = None) -> None:
        self.send_response(status)
        if location is not None:
            self.send_header("Location", location)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def _send(self, page: Page, status: int) -> None:
        start, end = self._part(page)
        whole, body = len(page.body), page.body[start:end]
        partial = (start, end) != (0, whole)
        self.send_response(206 if partial else status)
        if partial:
            self.send_header("Content-Range", f"bytes {start}-{end - 1}/{whole}")
        told = {"ETag": page.etag, "Last-Modified": page.modified}
        for name, value in (told | {"Content-Encoding": page.encoding}).items():
            if value is not None:
                self.send_header(name, value)
        heads = self.command == "HEAD"
        if page.length and (page.tell_head_length or not heads):
            self.send_header("Content-Length", str(len(body)))
        elif not heads:
            self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        if not heads:
            self._write(page, body)

    def _part(self, page: Page) -> tuple[int, int]:
        wanted = self.headers.get("Range", "")
        condition = self.headers.get("If-Range")
        if not page.ranges or not wanted or condition not in (None, page.etag, page.modified):
            return 0, len(page.body)
        first, _, last = wanted.removeprefix("bytes=").partition("-")
        return int(first), min(int(last) + 1, len(page.body)) if last else len(page.body)

    def _write(self, page: Page, body: bytes) -> None:
        if page.endless:
            while True:
                self._chunk(b"1,2\n" * 1024)
        cut = page.cuts.pop(0) if page.cuts else len(body)
        if page.length:
            self.wfile.write(body[:cut])
        else:
            self._chunk(body[:cut])
            if cut >= len(body):
                self.wfile.write(b"0\r\n\r\n")
        self.wfile.flush()

    def _chunk(self, data: bytes) -> None:
        if data:
            self.wfile.write(f"{len(data):x}\r\n".encode() + data + b"\r\n")
