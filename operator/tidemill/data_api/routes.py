"""The routes: what may be asked for, checked in the order of who, where, what.

Everything is sent as a file to be kept, never as a page: the API server's proxy would rewrite a
page, and a browser would show it under the API server's own address.
"""

import asyncio
import logging
import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import TypeVar

from aiohttp import web

from tidemill.data_api.contents import CHUNK, Contents, Manifests
from tidemill.data_api.readers import HEADER, Readers
from tidemill.data_api.refusal import Refusal
from tidemill.data_api.slots import Slots
from tidemill.data_api.versions import MAX_PAGE, DatasetName, Store, Versions
from tidemill.store import digests, layout
from tidemill.store.objects import NotFound, StoreError, TooLarge, Unavailable

ROOT = "/v1/namespaces/{namespace}/datasets/{name}/versions"
# For one piece of an object to be taken by the caller: who stops reading loses the slot.
PIECE_SECONDS = 60.0
_NAMESPACE = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")
_NAME = re.compile(r"[a-z0-9]([-.a-z0-9]{0,251}[a-z0-9])?")
_HEADERS = {
    "Content-Type": "application/octet-stream",
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "no-store",
}
_KEYS: dict[str, Callable[[str, str, str], str]] = {
    "record": layout.record_key,
    "manifest": layout.manifest_key,
    "profile": layout.profile_key,
    "report": layout.report_key,
}
Place = TypeVar("Place", str, DatasetName)
logger = logging.getLogger(__name__)


@dataclass(slots=True)
class DataRoutes:
    """Answers for the namespaces served; none given stands for all."""

    store: Store
    readers: Readers
    namespaces: tuple[str, ...] = ()
    slots: Slots = field(default_factory=Slots)
    versions: Versions = field(init=False)
    manifests: Manifests = field(init=False)

    def __post_init__(self) -> None:
        """Read all from the one store."""
        self.versions = Versions(self.store)
        self.manifests = Manifests(self.store)

    def routes(self) -> list[web.RouteDef]:
        """Give the routes; each is a GET and nothing else."""
        asked = {
            ROOT: self._page,
            f"{ROOT}/{{version}}/{{part:record|manifest|profile|report}}": self._part,
            f"{ROOT}/{{version}}/schema": self._schema,
            f"{ROOT}/{{version}}/objects/{{digest}}": self._object,
        }
        return [
            web.get(path, self.guarded(self._dataset, do), allow_head=False)
            for path, do in asked.items()
        ]

    def guarded(
        self,
        admitted: Callable[[web.Request], Awaitable[Place]],
        answer: Callable[[web.Request, Place], Awaitable[web.StreamResponse]],
    ) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
        """Let the right ones in, and say to the others why not."""

        async def guarded(request: web.Request) -> web.StreamResponse:
            try:
                place = await admitted(request)
                with self.slots.taken(request.match_info["namespace"]):
                    return await answer(request, place)
            except Refusal as refusal:
                body = {"error": refusal.message}
                return web.json_response(body, status=refusal.status, headers=refusal.headers())
            except StoreError as error:
                return _store_failed(error)

        return guarded

    async def _dataset(self, request: web.Request) -> DatasetName:
        namespace, name = await self.namespace(request), request.match_info["name"]
        if not _NAME.fullmatch(name):
            raise Refusal(400, "the address names no data set")
        return DatasetName(namespace, name)

    async def namespace(self, request: web.Request) -> str:
        """Give the namespace asked about, where the caller may read it; raises Refusal."""
        own = await self.readers.namespace(request.headers.get(HEADER, ""))
        namespace = request.match_info["namespace"]
        if not _NAMESPACE.fullmatch(namespace):
            raise Refusal(400, "the address names no namespace")
        if namespace != own:
            why = f"a ServiceAccount of namespace {own} may not read data of namespace"
            raise Refusal(403, f"{why} {namespace}: use one of that namespace")
        if self.namespaces and namespace not in self.namespaces:
            raise Refusal(404, f"this operator does not serve namespace {namespace}")
        return namespace

    async def _page(self, request: web.Request, dataset: DatasetName) -> web.StreamResponse:
        limit, after = request.query.get("limit", "50"), request.query.get("continue", "")
        if not re.fullmatch(r"[0-9]{1,3}", limit) or not 1 <= int(limit) <= MAX_PAGE:
            raise Refusal(400, f"limit must be a number from 1 to {MAX_PAGE}")
        if after and not digests.is_digest(after):
            raise Refusal(400, "continue must be what the page before gave")
        return web.json_response(await self.versions.page(dataset, after, int(limit)))

    async def _part(self, request: web.Request, dataset: DatasetName) -> web.StreamResponse:
        version = await self._version(request, dataset)
        part = request.match_info["part"]
        key = _KEYS[part](dataset.namespace, dataset.name, version)
        return await self.send(request, key, f"{part} of version {_short(version)} of {dataset}")

    async def _schema(self, request: web.Request, dataset: DatasetName) -> web.StreamResponse:
        version = await self._version(request, dataset)
        contents = await self._contents(dataset, version)
        key = layout.cas_key(layout.cas_prefix(dataset.namespace), contents.schema)
        return await self.send(request, key, f"schema of version {_short(version)} of {dataset}")

    async def _object(self, request: web.Request, dataset: DatasetName) -> web.StreamResponse:
        version = await self._version(request, dataset)
        digest = digests.PREFIX + request.match_info["digest"].removeprefix(digests.PREFIX)
        if not digests.is_digest(digest):
            raise Refusal(400, "an object is named by its sha256 of 64 hex digits")
        contents = await self._contents(dataset, version)
        if not contents.names(digest):
            raise Refusal(404, f"version {_short(version)} of {dataset} has no such object")
        if contents.place:
            raise Refusal(
                409,
                f"the objects of version {_short(version)} of {dataset} were not copied (spec.pin: "
                f"None): read them under {contents.place}, and prove them by their digests",
            )
        key = layout.cas_key(layout.cas_prefix(dataset.namespace), digest)
        return await self.send(request, key, f"object {_short(digest)} of {dataset}")

    async def _version(self, request: web.Request, dataset: DatasetName) -> str:
        return await self.versions.resolve(dataset, request.match_info["version"])

    async def _contents(self, dataset: DatasetName, version: str) -> Contents:
        try:
            return await self.manifests.contents(dataset, version)
        except NotFound:
            raise Refusal(404, f"data set {dataset} has no version {_short(version)}") from None

    async def send(self, request: web.Request, key: str, what: str) -> web.StreamResponse:
        """Send an object to its end; raises Refusal where there is none."""
        try:
            size = (await self.store.head(key)).size
        except NotFound:
            raise Refusal(404, f"there is no {what}") from None
        response = web.StreamResponse(headers=_HEADERS)
        response.content_length = size
        await response.prepare(request)
        try:
            async for piece in self.store.stream(key, chunk=CHUNK):
                async with asyncio.timeout(PIECE_SECONDS):
                    await response.write(piece)
            await response.write_eof()
        except (StoreError, TimeoutError) as error:
            logger.warning("The %s was not sent to its end: %s", what, error or "too slow")
            if request.transport is not None:
                request.transport.abort()
        return response


def _short(digest: str) -> str:
    return digests.hex_of(digest)[:12]


def _store_failed(error: StoreError) -> web.Response:
    """Say what the caller can do; where the store is and what it says is the operator's matter."""
    logger.warning("The store failed: %s", error)
    if isinstance(error, NotFound | TooLarge):
        return web.json_response({"error": "there is no such thing"}, status=404)
    wait = isinstance(error, Unavailable)
    why = "does not answer: try again" if wait else "refuses the operator: tell its administrator"
    return web.json_response(
        {"error": f"the store {why}"}, status=503, headers={"Retry-After": "5"} if wait else {}
    )
