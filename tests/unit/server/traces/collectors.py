"""A collector of the tests' own: reads what is posted as OTLP, and answers what it is told to."""

import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, ClassVar

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import KeyValue
from opentelemetry.proto.trace.v1.trace_pb2 import Span

PATIENCE = 60.0
LOOPBACK = "127.0.0.0/8"


@dataclass(frozen=True)
class Said:
    """An answer of the collector's."""

    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    last: bool = False  # the connection is closed after it, without a word


TAKEN = Said()


@dataclass
class Told:
    """A trace: the span of the request, and those of its stages by their names."""

    root: Span
    stages: dict[str, Span]

    @property
    def attributes(self) -> dict[str, Any]:
        return values(self.root.attributes)


@dataclass
class Collecting:
    """What has come so far. `answers` are given one after another, then all is taken."""

    answers: list[Said] = field(default_factory=list)
    spans: list[Span] = field(default_factory=list)
    resources: list[dict[str, Any]] = field(default_factory=list)
    posts: list[tuple[str, dict[str, str]]] = field(default_factory=list)
    connections: int = 0
    news: threading.Condition = field(default_factory=threading.Condition)
    port: int = 0

    @property
    def endpoint(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def environment(self) -> dict[str, str]:
        """What a server is told that is to send here."""
        return {
            "TIDEMILL_TRACES_ENDPOINT": self.endpoint,
            "TIDEMILL_TRACES_RATIO": "1",
            "TIDEMILL_HTTP_ALLOWED_NETWORKS": LOOPBACK,
        }

    def take(self, path: str, headers: dict[str, str], body: bytes) -> Said:
        with self.news:
            said = self.answers.pop(0) if self.answers else TAKEN
            self.posts.append((path, headers))
            if said.status == 200:
                request = ExportTraceServiceRequest.FromString(body)
                for each in request.resource_spans:
                    self.resources.append(values(each.resource.attributes))
                    self.spans += [span for scope in each.scope_spans for span in scope.spans]
            self.news.notify_all()
            return said

    def until(self, condition: Callable[[], object]) -> None:
        """Wait until what has come makes it so."""
        end = time.monotonic() + PATIENCE
        with self.news:
            while not condition():
                left = end - time.monotonic()
                assert left > 0, [span.name for span in self.spans]
                self.news.wait(left)

    def trace(self, prediction: str) -> Told:
        """The trace of one request, when it has come."""

        def found() -> list[Span]:
            return [one for one in self.spans if _prediction(one) == prediction]

        self.until(found)
        [root] = found()
        stages = [one for one in self.spans if one.parent_span_id == root.span_id]
        return Told(root, {one.name: one for one in stages})


def values(attributes: Any) -> dict[str, Any]:
    return {one.key: _value(one) for one in attributes}


def _value(attribute: KeyValue) -> Any:
    kind = attribute.value.WhichOneof("value")
    return getattr(attribute.value, str(kind))


def _prediction(span: Span) -> str | None:
    found: str | None = values(span.attributes).get("tidemill.prediction_id")
    return found


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    collecting: ClassVar[Collecting]

    def setup(self) -> None:
        super().setup()
        self.collecting.connections += 1

    def do_POST(self) -> None:
        headers = {name.lower(): value for name, value in self.headers.items()}
        body = self.rfile.read(int(headers["content-length"]))
        said = self.collecting.take(self.path, headers, body)
        self.send_response(said.status)
        for name, value in {**said.headers, "content-length": str(len(said.body))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(said.body)
        self.close_connection = said.last

    def log_message(self, *_: object) -> None:
        """Nobody reads it."""


@contextmanager
def collector(*answers: Said) -> Iterator[Collecting]:
    collecting = Collecting(list(answers))
    handler = type("Handler", (_Handler,), {"collecting": collecting})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        server.daemon_threads = True
        collecting.port = server.server_address[1]
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        try:
            yield collecting
        finally:
            server.shutdown()
