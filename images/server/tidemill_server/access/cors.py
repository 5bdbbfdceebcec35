"""Pages of other origins: which of them a browser lets ask (WHATWG Fetch, CORS protocol).

Without it no page but the server's own may. Credentials that a browser adds by itself (cookies) are
never allowed: who asks bears a token or nothing.
"""

import dataclasses
from collections.abc import Iterable

from tidemill_server.answers import Answer
from tidemill_server.protocol.errors import Header
from tidemill_server.rest.request import Request
from tidemill_server.rest.terms import Answerer

ANY = "*"
METHODS = b"GET, HEAD, POST, PUT, PATCH, DELETE"
SENT = (
    b"accept, authorization, content-encoding, content-type, inference-header-content-length, "
    b"traceparent, tracestate, x-tidemill-timeout-ms"
)
SEEN = (
    b"inference-header-content-length, retry-after, www-authenticate, x-tidemill-model-digest, "
    b"x-tidemill-model-name, x-tidemill-model-version, x-tidemill-prediction-id"
)
REMEMBERED = b"600"  # seconds
_OURS = b"access-control-"
_VARY: Header = (b"vary", b"origin")


class Shared:
    """Answers as another does, and tells browsers which origins may read it."""

    def __init__(self, answerer: Answerer, origins: Iterable[str]) -> None:
        self._answerer = answerer
        self._origins = frozenset(origin.encode() for origin in origins)
        self._any = ANY.encode() in self._origins

    async def answer(self, request: Request) -> Answer:
        """Answer one request; never raises, unless it is cancelled."""
        told = dict(request.headers)
        origin = told.get(b"origin")
        if origin is None:
            return _varied(await self._answerer.answer(request), self._any)
        known = self._any or origin in self._origins
        if request.method == "OPTIONS" and b"access-control-request-method" in told:
            return self._beforehand(origin) if known else Answer(204, b"", headers=(_VARY,))
        answer = await self._answerer.answer(request)
        if not known:
            return _varied(answer, self._any)
        more = (b"access-control-expose-headers", SEEN)
        return _more(answer, (*self._allowed(origin), more))

    def _allowed(self, origin: bytes) -> tuple[Header, ...]:
        if self._any:
            return ((b"access-control-allow-origin", b"*"),)
        return (b"access-control-allow-origin", origin), _VARY

    def _beforehand(self, origin: bytes) -> Answer:
        headers = (
            *self._allowed(origin),
            (b"access-control-allow-methods", METHODS),
            (b"access-control-allow-headers", SENT),
            (b"access-control-max-age", REMEMBERED),
        )
        return Answer(204, b"", headers=headers)


def _varied(answer: Answer, for_any: bool) -> Answer:
    return answer if for_any else _more(answer, (_VARY,))


def _more(answer: Answer, headers: tuple[Header, ...]) -> Answer:
    """The same with more headers; an answer may be one that all get, and is left as it is.

    What a container says of origins itself does not count: the spec does.
    """
    own = tuple(header for header in answer.headers if not header[0].startswith(_OURS))
    return dataclasses.replace(answer, headers=(*own, *headers))
