"""Bytes on a connection, as no client would send them, and what comes back; memory as well."""

import contextlib
import json
import re
import socket
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.unit.server.servers import PATIENCE, Server

PATH = "/v2/models/power/infer"
_PEAK = re.compile(r"VmHWM:\s+(\d+) kB")


def exchange(server: Server, *pieces: bytes) -> bytes:
    """Send, and read until the server closes or falls silent for good."""
    with socket.create_connection(("127.0.0.1", server.port), timeout=PATIENCE) as connection:
        with contextlib.suppress(OSError):  # answered and closed before all was sent
            for piece in pieces:
                connection.sendall(piece)
        received = b""
        with contextlib.suppress(OSError):
            while piece := connection.recv(65536):
                received += piece
        return received


def head(*lines: str, method: str = "POST", path: str = PATH) -> bytes:
    return "\r\n".join((f"{method} {path} HTTP/1.1", "host: x", *lines, "", "")).encode("latin-1")


@dataclass(frozen=True)
class Refusal:
    status: int
    error: str


def refusal(received: bytes) -> Refusal:
    """The one answer, which is the protocol's error object."""
    assert received.count(b"HTTP/1.1 ") == 1, received[:500]
    begin, _, body = received.partition(b"\r\n\r\n")
    document: Any = json.loads(body)
    assert list(document) == ["error"]
    return Refusal(int(begin.split()[1]), document["error"])


def peak_mib(server: Server) -> float:
    """The most memory that the process ever had."""
    text = Path(f"/proc/{server.process.pid}/status").read_text(encoding="ascii")
    found = _PEAK.search(text)
    assert found
    return int(found[1]) / 1024
