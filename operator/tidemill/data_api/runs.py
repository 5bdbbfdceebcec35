"""What a run has left, by its uid and its Job: report, log, result.

Both stand in the object that the caller has read from the API server. The operator asks for no
object: what a run left can be read as long as it lies there, also when its TrainingRun is gone.
"""

import re
from dataclasses import dataclass

from aiohttp import web

from tidemill.data_api.refusal import Refusal
from tidemill.data_api.routes import DataRoutes
from tidemill.store import layout

ROOT = "/v1/namespaces/{namespace}/runs/{uid}/{job}"
FILES = {"report": "report.html", "log": "log.gz", "result": "result.json"}
_UID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_JOB = re.compile(r"[a-z]([-a-z0-9]{0,61}[a-z0-9])?")


@dataclass(frozen=True, slots=True)
class RunRoutes:
    """Answers as the data sets' routes do, to the same callers."""

    data: DataRoutes

    def routes(self) -> list[web.RouteDef]:
        """Give the routes; each is a GET and nothing else."""
        path = f"{ROOT}/{{part:{'|'.join(FILES)}}}"
        return [web.get(path, self.data.guarded(self.data.namespace, self._part), allow_head=False)]

    async def _part(self, request: web.Request, namespace: str) -> web.StreamResponse:
        uid, job = request.match_info["uid"], request.match_info["job"]
        if not _UID.fullmatch(uid) or not _JOB.fullmatch(job):
            raise Refusal(400, "the address names no run: it has its uid and the name of its Job")
        part = request.match_info["part"]
        key = f"{layout.run_prefix(namespace, uid)}{job}/{FILES[part]}"
        return await self.data.send(request, key, f"{part} of run {uid} in namespace {namespace}")
