"""An object store in memory that speaks enough S3 over HTTP for the real client, and can fail.

It listens on a port of its own, so that the server under test, a process of its own, reads from it
exactly as it reads from a real store.
"""

import hashlib
import re
import threading
import urllib.parse
from dataclasses import dataclass, field
from functools import lru_cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import TracebackType
from typing import Any
from xml.sax.saxutils import escape

from tests.support.ports import free_port

NAME = "models-bucket"
MODIFIED = "Sat, 21 Nov 2026 10:00:00 GMT"


@lru_cache(maxsize=64)
def etag_of(data: bytes) -> str:
    """Of a large object counted once, not with each of its pieces."""
    return hashlib.md5(data, usedforsecurity=False).hexdigest()


@dataclass
class Bucket:
    """`objects` may be changed at any time; `answer` replaces every answer by this error code."""

    port: int = field(default_factory=free_port)
    objects: dict[str, bytes] = field(default_factory=dict)
    answer: tuple[int, str] | None = None
    seen: list[str] = field(default_factory=list)
    break_after: int | None = None  # the connection breaks after so many requests are answered
    _server: ThreadingHTTPServer | None = None

    @property
    def endpoint(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        handler = type("Handler", (_Handler,), {"bucket": self})
        self._server = ThreadingHTTPServer(("127.0.0.1", self.port), handler)
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()

    def stop(self) -> None:
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()
            self._server = None

    def __enter__(self) -> "Bucket":
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.stop()

    def write_config(self, folder: Path) -> Path:
        """The store's configuration as a pod has it mounted."""
        folder.mkdir(parents=True, exist_ok=True)
        values = {
            "endpoint": self.endpoint,
            "region": "us-east-1",
            "bucket": NAME,
            "path-style": "true",
            "access-key": "reader",
            "secret-key": "not-a-secret",
        }
        for name, value in values.items():
            (folder / name).write_text(value)
        return folder


class _Handler(BaseHTTPRequestHandler):
    bucket: Bucket
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # else each answer waits for an acknowledgement

    def do_GET(self) -> None:
        self._answer(with_body=True)

    def do_HEAD(self) -> None:
        self._answer(with_body=False)

    def log_message(self, *_: Any) -> None:
        """Quiet."""

    def _answer(self, *, with_body: bool) -> None:
        bucket = self.bucket
        parts = urllib.parse.urlsplit(self.path)
        bucket.seen.append(f"{self.command} {self.path}")
        if bucket.break_after is not None:
            bucket.break_after -= 1
            if bucket.break_after < 0:
                self.close_connection = True
                return
        if bucket.answer is not None:
            self._error(*bucket.answer)
            return
        query = dict(urllib.parse.parse_qsl(parts.query, keep_blank_values=True))
        key = urllib.parse.unquote(parts.path).removeprefix(f"/{NAME}").removeprefix("/")
        if "list-type" in query:
            self._send(200, _listing(bucket.objects, query.get("prefix", "")), with_body=True)
        elif key not in bucket.objects:
            self._error(404, "NoSuchKey")
        else:
            self._object(bucket.objects[key], with_body=with_body)

    def _object(self, data: bytes, *, with_body: bool) -> None:
        etag = f'"{etag_of(data)}"'
        headers = {"ETag": etag, "Last-Modified": MODIFIED, "Accept-Ranges": "bytes"}
        if self.headers.get("If-Match", etag) != etag:
            self._error(412, "PreconditionFailed")
            return
        wanted = re.fullmatch(r"bytes=(\d+)-(\d+)", self.headers.get("Range", ""))
        if wanted is None:
            self._send(200, data, with_body=with_body, headers=headers)
            return
        start, end = int(wanted[1]), min(int(wanted[2]), len(data) - 1)
        headers["Content-Range"] = f"bytes {start}-{end}/{len(data)}"
        self._send(206, data[start : end + 1], with_body=with_body, headers=headers)

    def _error(self, status: int, code: str) -> None:
        body = f"<Error><Code>{code}</Code><Message>{code}</Message></Error>".encode()
        self._send(status, body, with_body=self.command != "HEAD")

    def _send(
        self, status: int, body: bytes, *, with_body: bool, headers: dict[str, str] | None = None
    ) -> None:
        self.send_response(status)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if with_body:
            self.wfile.write(body)


def _listing(objects: dict[str, bytes], prefix: str) -> bytes:
    items = "".join(
        f"<Contents><Key>{escape(key)}</Key><Size>{len(data)}</Size>"
        f'<ETag>"{etag_of(data)}"</ETag>'
        "<LastModified>2026-11-21T10:00:00.000Z</LastModified></Contents>"
        for key, data in sorted(objects.items())
        if key.startswith(prefix)
    )
    return (
        '<?xml version="1.0"?><ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/">'
        f"<Name>{NAME}</Name><IsTruncated>false</IsTruncated>{items}</ListBucketResult>"
    ).encode()
