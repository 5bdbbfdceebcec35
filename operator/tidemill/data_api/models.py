"""The packages of models: which files one has, and each of them.

A package is named by its model and its digest, as its address is. Only what a package may hold is
listed and sent: nothing of a caller becomes a key but names that were checked.
"""

import re
from dataclasses import dataclass

from aiohttp import web

from tidemill.data_api.refusal import Refusal
from tidemill.data_api.routes import DataRoutes
from tidemill.store import digests, layout, package
from tidemill.store.objects import TooLarge

ROOT = "/v1/namespaces/{namespace}/models/{model}/{digest}"
# More than a package may have: what should not be there is told as well.
MAX_LISTED = 200
FILES = package.ALLOWED_FILES | {package.MANIFEST, package.SIGNATURE}
_MODEL = re.compile(r"[a-z0-9]([-.a-z0-9]{0,251}[a-z0-9])?")
_DIGEST = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class ModelRoutes:
    """Answers as the data sets' routes do, to the same callers."""

    data: DataRoutes

    def routes(self) -> list[web.RouteDef]:
        """Give the routes; each is a GET and nothing else."""
        asked = {f"{ROOT}/files": self._list, f"{ROOT}/files/{{file}}": self._file}
        return [
            web.get(path, self.data.guarded(self.data.namespace, do), allow_head=False)
            for path, do in asked.items()
        ]

    async def _list(self, request: web.Request, namespace: str) -> web.StreamResponse:
        prefix = _prefix(request, namespace)
        try:
            found = await self.data.store.list(prefix, limit=MAX_LISTED)
        except TooLarge:
            raise Refusal(413, f"more than {MAX_LISTED} objects lie under {prefix}") from None
        if not found:
            raise Refusal(404, f"there is no package under {prefix}")
        files = [{"name": one.key.removeprefix(prefix), "size": one.size} for one in found]
        return web.json_response({"files": sorted(files, key=lambda one: str(one["name"]))})

    async def _file(self, request: web.Request, namespace: str) -> web.StreamResponse:
        prefix, name = _prefix(request, namespace), request.match_info["file"]
        if name not in FILES:
            raise Refusal(400, f"a package has no file {name[:80]!r}")
        return await self.data.send(request, f"{prefix}{name}", f"{name} under {prefix}")


def _prefix(request: web.Request, namespace: str) -> str:
    model, digest = request.match_info["model"], request.match_info["digest"]
    if not _MODEL.fullmatch(model) or ".." in model or not _DIGEST.fullmatch(digest):
        raise Refusal(400, "the address names no package: it has its model and its digest")
    return layout.package_prefix(namespace, model, digests.PREFIX + digest)
