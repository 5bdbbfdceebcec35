"""A request, as it was read from its connection."""

from dataclasses import dataclass
from urllib.parse import unquote

import httptools

from tidemill_server.limits.body import Body
from tidemill_server.protocol.errors import Header, ProtocolError


@dataclass(slots=True)  # not frozen: one is made for each request
class Request:
    """Its head, and its body as it comes. `path` is decoded and without a query; `url` is neither.

    `kept`: the client means to ask more over the same connection. `expects`: it sends the body when
    it is told to go on, which it has not been yet.
    """

    method: str
    path: str
    headers: list[Header]
    body: Body
    kept: bool
    expects: bool = False
    http10: bool = False
    url: bytes = b""

    def check_method(self, *allowed: str) -> None:
        """Raises ProtocolError where the path is asked in another way."""
        if self.method not in allowed:
            headers = ((b"allow", ", ".join(allowed).encode()),)
            message = f"this path answers {' and '.join(allowed)} only"
            raise ProtocolError(405, message, headers=headers)


def path_of(url: bytes) -> str:
    """The path of what was asked for, which may be a whole address."""
    path = url.partition(b"?")[0]
    if not path.startswith(b"/"):
        path = httptools.parse_url(path).path or b""
    text = path.decode("ascii", "replace")
    return unquote(text) if "%" in text else text
