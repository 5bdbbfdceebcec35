"""What the container is asked: a request as it came, without what was meant for the server alone.

The body has been read whole, so its length is written anew, whichever way its client framed it:
nobody can hide a second request in the first.
"""

from collections.abc import Collection
from dataclasses import dataclass

import httptools

from tidemill_server.protocol.errors import Header, bad_request
from tidemill_server.rest.heads import lines
from tidemill_server.rest.request import Request
from tidemill_server.upstream.fields import passed_on

# What asked twice does no more than asked once (RFC 9110, 9.2.2).
IDEMPOTENT = frozenset({"GET", "HEAD", "OPTIONS", "TRACE", "PUT", "DELETE"})
_WITH_BODY = frozenset({"POST", "PUT", "PATCH"})
_OURS = frozenset({b"content-length", b"expect", b"x-tidemill-prediction-id"})
VIA: Header = (b"via", b"1.1 tidemill")


@dataclass(frozen=True, slots=True)
class Question:
    """Its bytes. `repeatable`: it may be asked again where nobody knows whether it was heard."""

    method: str
    head: bytes
    body: bytes = b""
    repeatable: bool = True

    @property
    def wants_body(self) -> bool:
        """Whether the answer may have a body."""
        return self.method != "HEAD"


def looking(path: str, authority: str) -> Question:
    """A question of our own: whether it is ready."""
    head = f"GET {path} HTTP/1.1\r\nhost: {authority}\r\nuser-agent: tidemill\r\n\r\n"
    return Question("GET", head.encode("latin-1"))


@dataclass(frozen=True, slots=True)
class Writer:
    """Writes questions to one container.

    `asked_again`: what it is asked does no harm twice, whichever method asks. `withheld` are
    headers that the server keeps to itself.
    """

    authority: str
    asked_again: bool
    withheld: Collection[bytes] = ()

    def question(self, request: Request, body: bytes, prediction: str) -> Question:
        """The same request, for the container; raises ProtocolError."""
        found = passed_on(request.headers, _OURS.union(self.withheld))
        hosts = sum(name == b"host" for name, _ in found)
        if hosts > 1:
            raise bad_request("the request has more than one header Host")
        if not hosts:
            found.insert(0, (b"host", self.authority.encode()))
        if body or request.method in _WITH_BODY:
            found.append((b"content-length", str(len(body)).encode()))
        found += [(b"x-tidemill-prediction-id", prediction.encode()), VIA]
        method = request.method.encode()
        head = b"%s %s HTTP/1.1\r\n%s\r\n" % (method, target_of(request.url), lines(found))
        again = self.asked_again or request.method in IDEMPOTENT
        return Question(request.method, head, body, again)


def target_of(url: bytes) -> bytes:
    """Path and query of what was asked for, which may be a whole address."""
    url = url.partition(b"#")[0]
    if url.startswith(b"/"):
        return url
    parts = httptools.parse_url(url)
    query = b"?" + parts.query if parts.query else b""
    return (parts.path or b"/") + query
