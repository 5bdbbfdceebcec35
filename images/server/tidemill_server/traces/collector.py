"""The collector, as a client of HTTP asks it: one POST, one verdict.

Its name is resolved for each connection, and only addresses that may be are connected to, as with
every address that stands in a user's object. The connection is kept between batches.
"""

import socket
import ssl
import threading
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from http.client import HTTPConnection, HTTPException, HTTPResponse, HTTPSConnection

from tidemill import __version__
from tidemill.store.database_addresses import DatabaseAddresses
from tidemill_server.settings import Tracing

PATH = "/v1/traces"
SETTING = "TIDEMILL_HTTP_ALLOWED_NETWORKS"
MAX_ANSWER_BYTES = 64 * 1024
_AGAIN = frozenset({429, 502, 503, 504})  # by OTLP; whatever else is no better the next time
_HEADERS = {
    "content-type": "application/x-protobuf",
    "user-agent": f"tidemill-server/{__version__}",
}


@dataclass(frozen=True)
class Verdict:
    """What became of a message: taken with an answer, or why not, and whether to come again.

    `after`: seconds, where the collector says how long to wait.
    """

    why: str = ""
    again: bool = False
    after: float | None = None
    answer: bytes = b""


class _Judged(HTTPConnection):
    """Connects to what its name leads to, once that is judged."""

    addresses: DatabaseAddresses

    def connect(self) -> None:
        found = socket.getaddrinfo(self.host, self.port, type=socket.SOCK_STREAM)
        places = [str(place[0]) for *_, place in found if self.addresses.permit(str(place[0]))]
        if not places:
            raise AddressRefused
        failed: OSError | None = None
        for place in places:
            try:
                self.sock = socket.create_connection((place, self.port), self.timeout)
            except OSError as error:
                failed = error
            else:
                self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                return
        raise failed or OSError("no address")


class _Encrypted(HTTPSConnection, _Judged):
    """The same with TLS, proved for the name."""


class AddressRefused(OSError):  # noqa: N818 - says what became of it
    """The host leads to an address that no collector of a user has."""


class Collector:
    """Used in one thread."""

    def __init__(self, settings: Tracing, addresses: DatabaseAddresses) -> None:
        kind = _Encrypted if settings.tls else _Judged
        self.where = settings.endpoint
        self._path = settings.path + PATH
        self._connection = kind(settings.host, settings.port)
        self._connection.addresses = addresses
        self._fresh = True

    def post(self, message: bytes, seconds: float) -> Verdict:
        """Send one. The time is for each step of it, and twice as much for all."""
        connection = self._connection
        kept = connection.sock is not None
        timer = threading.Timer(2 * seconds, self._cut)
        timer.start()
        try:
            return self._posted(message, seconds)
        except (OSError, HTTPException, UnicodeError) as error:
            connection.close()
            if kept and isinstance(error, ConnectionError | HTTPException):
                return self.post(message, seconds)  # it was closed while nothing was to be sent
            return Verdict(_trouble(error), again=True)
        finally:
            timer.cancel()
            timer.join()

    def _cut(self) -> None:
        """End what takes too long: a timeout of the socket's is for each step alone."""
        sock = self._connection.sock
        if sock is not None:
            with suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)

    def _posted(self, message: bytes, seconds: float) -> Verdict:
        connection = self._connection
        connection.timeout = seconds
        if connection.sock is not None:
            connection.sock.settimeout(seconds)
        connection.request("POST", self._path, message, _HEADERS)
        answer = connection.getresponse()
        body = answer.read(MAX_ANSWER_BYTES)
        if not answer.isclosed():  # there is more, and nobody wants it
            connection.close()
        if 200 <= answer.status < 300:
            return Verdict(answer=body)
        again = answer.status in _AGAIN
        return Verdict(f"it answers with HTTP {answer.status}", again, _after(answer))

    def close(self) -> None:
        self._connection.close()


def _after(answer: HTTPResponse) -> float | None:
    """`Retry-After`: seconds, or a moment."""
    text = (answer.getheader("retry-after") or "").strip()
    if text.isascii() and text.isdecimal() and len(text) <= 9:
        return float(text)
    with suppress(ValueError, OverflowError):
        return max(parsedate_to_datetime(text).timestamp() - time.time(), 0.0)
    return None


_WORDS: Mapping[type[Exception], str] = {
    AddressRefused: "its address is loopback, link-local, of a cloud's metadata or the API "
    f"server's: have the administrator allow its network with {SETTING}",
    ssl.SSLCertVerificationError: "its certificate does not prove its name",
    ssl.SSLError: "it does not speak TLS",
    socket.gaierror: "the name of its host is not known",
    UnicodeError: "the name of its host is none",
    TimeoutError: "it does not answer in time",
    OSError: "it cannot be connected to",
}


def _trouble(error: Exception) -> str:
    for kind, words in _WORDS.items():
        if isinstance(error, kind):
            return words
    return "it does not speak HTTP"
