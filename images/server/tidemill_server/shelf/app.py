"""The application of a server with several models: whose a path is, and what is the server's own.

Models are asked at the protocol's own paths. Below /models/NAME each answers all that it would
answer if it were alone, its page included.
"""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import orjson

from tidemill_server.about.page import shelf_pages
from tidemill_server.answers import Answer, json_answer, page_answer
from tidemill_server.hosts import Common
from tidemill_server.lifecycle.state import readiness
from tidemill_server.metrics.registry import CONTENT_TYPE
from tidemill_server.metrics.together import Together
from tidemill_server.protocol.errors import SHOWN_CHARS, ProtocolError
from tidemill_server.protocol.metadata import server_metadata
from tidemill_server.rest.request import Request

if TYPE_CHECKING:
    from tidemill_server.shelf.hosted import Hosted
    from tidemill_server.shelf.shelf import Shelf

BELOW = "/models/"
PROTOCOL = "/v2/models/"


class ShelfApplication:
    """Several models behind the protocol's paths."""

    def __init__(self, shelf: "Shelf", common: Common) -> None:
        self._shelf = shelf
        self._state = common.state
        self._metrics = Together(common.metrics, shelf.metrics)
        self._whose: dict[str, Hosted] = {}
        self._hosted: Mapping[str, Hosted] = {}
        self._shown = shelf_pages() if common.settings.page else {}
        self._own: dict[str, tuple[str, Callable[[], Answer]]] = {
            "/v2": ("GET", lambda: json_answer(server_metadata())),
            "/v2/": ("GET", lambda: json_answer(server_metadata())),
            "/v2/health/live": ("GET", lambda: json_answer({"live": True})),
            "/v2/health/ready": ("GET", self._ready),
            "/v2/repository/index": ("POST", self._index),
            "/metrics": ("GET", lambda: Answer(200, self._metrics.render(), CONTENT_TYPE)),
            "/v1/models": ("GET", lambda: json_answer({"models": self._models()})),
        }

    def route(self) -> None:
        """Find out anew whose each path is."""
        self._hosted = self._shelf.hosted()
        self._whose = {
            path: hosted
            for hosted in self._hosted.values()
            for path in hosted.app.paths
            if path.startswith(PROTOCOL)
        }

    def is_shown(self, path: str) -> bool:
        """Whether it is of a page, which anybody may ask for."""
        if path in self._shown:
            return True
        hosted, rest = self._below(path)
        return hosted is not None and hosted.app.is_shown(rest or "/")

    def is_counted(self, path: str) -> bool:
        """Whether a request for it is one for a prediction."""
        if (hosted := self._whose.get(path)) is not None:
            return hosted.app.is_counted(path)
        hosted, rest = self._below(path)
        return hosted is not None and hosted.app.is_counted(rest)

    def answer(self, request: Request) -> Awaitable[Answer]:
        """Answer one request; never raises, unless it is cancelled."""
        hosted = self._whose.get(request.path)
        if hosted is not None:
            return hosted.app.answer(request)
        hosted, rest = self._below(request.path)
        if hosted is None:
            return self._tell(request)
        if not rest and hosted.app.is_shown("/"):
            return _moved(request)
        return hosted.app.answer(replace(request, path=rest))

    def _below(self, path: str) -> "tuple[Hosted | None, str]":
        """Whose path it is, and what it would be if that were alone."""
        if not path.startswith(BELOW):
            return None, ""
        name, slash, rest = path[len(BELOW) :].partition("/")
        return self._hosted.get(name), slash + rest

    async def _tell(self, request: Request) -> Answer:
        return page_answer(lambda: self._page(request), request.path)

    def _page(self, request: Request) -> Answer:
        path = request.path
        if path in self._shown:
            request.check_method("GET", "HEAD")
            return self._shown[path]
        if path not in self._own:
            raise self._unknown(path)
        method, page = self._own[path]
        request.check_method(*(("GET", "HEAD") if method == "GET" else (method,)))
        return page()

    def _ready(self) -> Answer:
        about = {"models": self._shelf.told(), "list": self._shelf.list_digest}
        return readiness(self._state, about)

    def _index(self) -> Answer:
        return Answer(200, orjson.dumps(self._shelf.index()))

    def _models(self) -> list[dict[str, Any]]:
        """Each with what its page tells, for the page of them all."""
        return [
            {**told, "version": hosted.wanted.version, "stats": hosted.metrics.stats()}
            for told, hosted in zip(self._shelf.told(), self._shelf.hosted().values(), strict=True)
        ]

    def _unknown(self, path: str) -> ProtocolError:
        for prefix in (PROTOCOL, BELOW):
            name, _, rest = path[:1000].removeprefix(prefix).partition("/")
            if not path.startswith(prefix) or not name:
                continue
            hosted = self._hosted.get(name)
            if hosted is None:
                text = f"no model {name[:SHOWN_CHARS]!r} here; {self._shelf.known()}"
                return ProtocolError(404, text)
            kind, _, version = rest.partition("/")
            version, known = version.partition("/")[0][:SHOWN_CHARS], hosted.wanted.version
            if kind == "versions" and version not in ("", known):
                return ProtocolError(404, f"no version {version!r} here; there is {known!r}")
        return ProtocolError(404, f"nothing is answered at {path[:SHOWN_CHARS]!r}")


async def _moved(request: Request) -> Answer:
    """The page's own address ends with a slash: what it asks for is relative to that."""
    location = request.path.rpartition("/")[2] + "/"
    return Answer(308, b"", headers=((b"location", location.encode()),))
