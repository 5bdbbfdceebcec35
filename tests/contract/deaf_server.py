"""Servers that are no database: they take a connection and give one answer, or none."""

import contextlib
import socket
import threading
from collections.abc import Iterator


@contextlib.contextmanager
def deaf_server(answer: bytes | None) -> Iterator[int]:
    """Give the port; None for an answer keeps silent until the other side gives up."""
    listener = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _ = listener.accept()
                with connection, contextlib.suppress(OSError):
                    connection.recv(64)
                    if answer is None:
                        connection.recv(64)
                    else:
                        connection.sendall(answer)

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    try:
        yield listener.getsockname()[1]
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        thread.join(10)
