"""Start the real server process, wait for what it says, talk to it, end it."""

import json
import os
import queue
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.client import HTTPConnection, HTTPResponse
from pathlib import Path
from typing import Any

from tests.support.children import with_parent
from tests.unit.server.bucket import Bucket
from tests.unit.server.packages import URI

ROOT = Path(__file__).resolve().parents[3]
SOURCES = os.pathsep.join(str(ROOT / path) for path in ("operator", "images/server"))
PATIENCE = 60.0


@dataclass
class Reply:
    """A response, read."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@dataclass
class Server:
    """A server process and what it has logged."""

    process: subprocess.Popen[bytes]
    termination: Path
    scratch: Path
    lines: list[dict[str, Any]] = field(default_factory=list)
    _news: "queue.Queue[dict[str, Any] | None]" = field(default_factory=queue.Queue)
    port: int = 0
    grpc: int = 0  # where it is on
    health: int = 0  # where it has a port of its own

    def read_log(self) -> None:
        """In a thread: a line that is no JSON object is a fault of the server's."""
        stream = self.process.stderr
        if stream is None:
            return
        for line in stream:
            try:
                self._news.put(json.loads(line))
            except ValueError:
                self._news.put({"message": "not JSON", "text": line.decode(errors="replace")})
        self._news.put(None)

    def wait_for_log(self, message: str) -> dict[str, Any]:
        """The next line with that message; fails when the process ends without."""
        while True:
            line = self._news.get(timeout=PATIENCE)
            if line is None:
                raise AssertionError(f"ended without {message!r}: {self.lines}")
            self.lines.append(line)
            if str(line["message"]).startswith(message):
                return line

    def has_logged(self, message: str) -> bool:
        """Whether there is such a line already."""
        while not self._news.empty():
            if (line := self._news.get()) is not None:
                self.lines.append(line)
        return any(str(line["message"]).startswith(message) for line in self.lines)

    def listen(self) -> "Server":
        line = self.wait_for_log("listening")
        self.port, self.grpc = line["port"], line.get("grpc", 0)
        self.health = line.get("health", 0)
        return self

    def ready(self) -> "Server":
        self.listen().wait_for_log("ready")
        return self

    def connect(self) -> HTTPConnection:
        return HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE)

    def request(
        self, method: str, path: str, body: Any = None, headers: dict[str, str] | None = None
    ) -> Reply:
        connection = self.connect()
        try:
            data = body if isinstance(body, bytes | None) else json.dumps(body).encode()
            connection.request(method, path, data, headers or {})
            return read(connection.getresponse())
        finally:
            connection.close()

    def get(self, path: str) -> Reply:
        return self.request("GET", path)

    def infer(self, body: Any, **headers: str) -> Reply:
        fields = {name.replace("_", "-"): value for name, value in headers.items()}
        return self.request("POST", "/v2/models/power/infer", body, fields)

    def until(self, condition: Callable[["Server"], bool]) -> None:
        """Wait until something is so; not longer than the test has patience."""
        deadline = time.monotonic() + PATIENCE
        while not condition(self):
            if time.monotonic() > deadline:
                raise AssertionError("the condition did not come true")
            threading.Event().wait(0.02)

    def end(self) -> int:
        """Wait for the exit code."""
        return self.process.wait(timeout=PATIENCE)

    @property
    def refusal(self) -> dict[str, str]:
        found: dict[str, str] = json.loads(self.termination.read_text())
        return found


def read(response: HTTPResponse) -> Reply:
    headers = {name.lower(): value for name, value in response.getheaders()}
    return Reply(response.status, headers, response.read())


@contextmanager
def serve(
    bucket: Bucket, digest: str, folder: Path, *, python: str = sys.executable, **env: str
) -> Iterator[Server]:
    """A server process for the package of that digest; killed at the end if it still runs."""
    store = folder / "store"
    if not store.exists():
        bucket.write_config(store)
    with started(folder, digest, python=python, TIDEMILL_STORE=str(store), **env) as server:
        yield server


@contextmanager
def started(
    folder: Path, digest: str, *, python: str = sys.executable, **env: str
) -> Iterator[Server]:
    """A server process; killed at the end if it still runs."""
    scratch = folder / "scratch"
    scratch.mkdir(parents=True, exist_ok=True)
    termination = folder / "termination"
    variables = {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": SOURCES,
        "PORT": "0",
        "TIDEMILL_MODEL_URI": URI,
        "TIDEMILL_MODEL_DIGEST": digest,
        "TIDEMILL_MODEL_NAME": "power",
        "TIDEMILL_SCRATCH": str(scratch),
        "TIDEMILL_TERMINATION": str(termination),
        "TIDEMILL_DRAIN_SECONDS": "0",
        **env,
    }
    command = with_parent(python, "-m", "tidemill_server")
    process = subprocess.Popen(
        command,
        env=variables,
        stderr=subprocess.PIPE,
        cwd=folder,
    )
    server = Server(process, termination, scratch)
    threading.Thread(target=server.read_log, daemon=True).start()
    try:
        yield server
    finally:
        process.kill()
        process.wait()
