"""A small container: it hears requests, and says what the test has it say, byte for byte."""

import contextlib
import socket
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from io import BufferedReader
from types import TracebackType

PATIENCE = 60.0


@dataclass(frozen=True)
class Heard:
    """A request, and over which connection it came, counted from 1."""

    method: str
    target: str
    headers: list[tuple[str, str]]
    body: bytes
    connection: int
    wire: socket.socket = field(repr=False)

    def until_left(self) -> bool:
        """Wait until who asked has closed the connection."""
        try:
            return self.wire.recv(1) == b""
        except ConnectionResetError:
            return True

    def header(self, name: str) -> list[str]:
        return [value for key, value in self.headers if key == name]


@dataclass(frozen=True)
class Last:
    """What is said before the connection is closed."""

    data: bytes = b""


Say = Callable[[Heard], bytes | Last]


def ok(body: bytes = b"{}", *lines: str, status: str = "200 OK") -> bytes:
    """An answer as most are."""
    head = "\r\n".join((f"HTTP/1.1 {status}", f"content-length: {len(body)}", *lines, "", ""))
    return head.encode("latin-1") + body


@dataclass
class Stub:
    """Listens on a free port, or on the one given.

    `say` may wait: it is asked from a thread of its connection's own.
    """

    say: Say = field(default=lambda _: ok())
    heard: list[Heard] = field(default_factory=list)
    connections: int = 0
    port: int = 0
    _listener: socket.socket = field(init=False)
    _open: list[socket.socket] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", self.port))
        self.port = self._listener.getsockname()[1]

    def asked(self, target: str) -> list[Heard]:
        return [one for one in self.heard if one.target == target]

    def __enter__(self) -> "Stub":
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    def stop(self) -> None:
        """Listen no more, and close every connection."""
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self.hang_up()

    def hang_up(self) -> None:
        """Close every connection."""
        for one in self._open:
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            connection.settimeout(PATIENCE)
            self._open.append(connection)
            self.connections += 1
            number = self.connections
            threading.Thread(target=self._answer, args=(connection, number), daemon=True).start()

    def _answer(self, connection: socket.socket, number: int) -> None:
        with connection, contextlib.suppress(OSError):
            stream = connection.makefile("rb")
            while heard := _read(connection, stream, number):
                self.heard.append(heard)
                said = self.say(heard)
                connection.sendall(said.data if isinstance(said, Last) else said)
                if isinstance(said, Last):
                    connection.shutdown(socket.SHUT_RDWR)
                    return


def _read(connection: socket.socket, stream: BufferedReader, number: int) -> Heard | None:
    first = stream.readline().decode("latin-1").split()
    if not first:
        return None
    headers = []
    while line := stream.readline().decode("latin-1").strip():
        name, _, value = line.partition(":")
        headers.append((name, value.strip()))
    length = next((int(value) for name, value in headers if name == "content-length"), 0)
    body = stream.read(length)
    return Heard(first[0], first[1], headers, body, number, connection)
