"""An API server as the plugin sees it: tokens, Datasets, the way to the operator's data port."""

import asyncio
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from aiohttp import web
from tests.unit.data_api.bucket import Bucket, Reviewer

from tidemill.data_api.models import ModelRoutes
from tidemill.data_api.readers import Readers
from tidemill.data_api.routes import DataRoutes
from tidemill.data_api.runs import RunRoutes

PROXY = "/api/v1/namespaces/tidemill-system/services/http:tidemill-data:8082/proxy"
DATASETS = "/apis/tidemill.dev/v1alpha1/namespaces/{ns}/datasets"
RUNS = "/apis/tidemill.dev/v1alpha1/namespaces/{ns}/trainingruns"
PODS = "/api/v1/namespaces/{ns}/pods"
BREAK, ERROR = "break", "error"
USER_TOKEN = "the-user's-own"


@dataclass
class ApiServer:
    """What it knows, what it was asked, and what it refuses before anything else."""

    bucket: Bucket = field(default_factory=Bucket)
    statuses: dict[tuple[str, str], dict[str, Any]] = field(default_factory=dict)
    refuse: dict[str, list[tuple[int, dict[str, Any]]]] = field(default_factory=dict)
    asked: list[tuple[str, str, dict[str, str]]] = field(default_factory=list)
    token_requests: list[dict[str, Any]] = field(default_factory=list)
    port: int = 0
    # How many requests pass before one is refused.
    passed: dict[str, int] = field(default_factory=dict)
    # Of a run what it is at first, and then what a watch tells; None: it is deleted. BREAK: the
    # connection breaks, ERROR: the API server cannot go on.
    runs: dict[str, list[Any]] = field(default_factory=dict)
    pods: list[dict[str, Any]] = field(default_factory=list)
    logs: dict[str, bytes] = field(default_factory=dict)

    def kubeconfig(self, folder: Path, namespace: str = "team") -> Path:
        """Write a kubeconfig of a user with a token."""
        server = f"http://127.0.0.1:{self.port}"
        context = {"cluster": "c", "user": "u", "namespace": namespace}
        config = {
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": "here",
            "clusters": [{"name": "c", "cluster": {"server": server}}],
            "users": [{"name": "u", "user": {"token": USER_TOKEN}}],
            "contexts": [
                {"name": "here", "context": context},
                {"name": "there", "context": {**context, "namespace": "other"}},
            ],
        }
        file = folder / "kubeconfig"
        file.write_text(json.dumps(config))
        return file

    def app(self) -> web.Application:
        """The routes; the data port is the real one, with a bucket in memory."""
        app = web.Application(middlewares=[self._first])
        app.router.add_post("/api/v1/namespaces/{ns}/serviceaccounts/{name}/token", self._token)
        app.router.add_get(DATASETS, self._list)
        app.router.add_get(DATASETS + "/{name}", self._get)
        app.router.add_get(RUNS, self._runs)
        app.router.add_get(RUNS + "/{name}", self._run)
        app.router.add_get(PODS, self._pods)
        app.router.add_get(PODS + "/{name}/log", self._log)
        data = web.Application()
        routes = DataRoutes(self.bucket, Readers(Reviewer()))
        data.add_routes([*routes.routes(), *RunRoutes(routes).routes()])
        data.add_routes(ModelRoutes(routes).routes())
        app.add_subapp(PROXY, data)
        return app

    @web.middleware
    async def _first(self, request: web.Request, handler: Any) -> web.StreamResponse:
        self.asked.append((request.method, request.path, dict(request.headers)))
        for part, answers in self.refuse.items():
            if part in request.path and self.passed.get(part, 0):
                self.passed[part] -= 1
            elif part in request.path and answers:
                status, body = answers.pop(0)
                headers = {"Retry-After": "3"} if status in (429, 503) else {}
                return web.json_response(body, status=status, headers=headers)
        answer: web.StreamResponse = await handler(request)
        return answer

    async def _token(self, request: web.Request) -> web.Response:
        body = await request.json()
        self.token_requests.append({**request.match_info, **body["spec"]})
        if request.match_info["name"] != "default":
            return web.json_response(status("NotFound", "not found"), status=404)
        return web.json_response({"status": {"token": f"good-{request.match_info['ns']}"}})

    async def _get(self, request: web.Request) -> web.Response:
        found = self.statuses.get((request.match_info["ns"], request.match_info["name"]))
        if found is None:
            return web.json_response(status("NotFound", "not found"), status=404)
        return web.json_response({"metadata": {}, "status": found})

    async def _list(self, request: web.Request) -> web.Response:
        items = [
            {"metadata": {"name": name}, "status": found}
            for (namespace, name), found in self.statuses.items()
            if namespace == request.match_info["ns"]
        ]
        return web.json_response({"items": items})

    async def _run(self, request: web.Request) -> web.Response:
        states = self.runs.get(request.match_info["name"])
        if not states or states[0] is None:
            return web.json_response(status("NotFound", "not found"), status=404)
        return web.json_response(states[0])

    async def _runs(self, request: web.Request) -> web.StreamResponse:
        if "watch" not in request.query:
            return web.json_response({"items": [states[0] for states in self.runs.values()]})
        name = request.query["fieldSelector"].removeprefix("metadata.name=")
        answer = web.StreamResponse(headers={"Content-Type": "application/json"})
        answer.enable_chunked_encoding()
        await answer.prepare(request)
        states = self.runs[name]
        if len(states) > 1:
            before = states.pop(0)
            if states[0] == BREAK:
                states[0] = before
                await answer.write(b'{"type": "MODI')
                assert request.transport is not None
                request.transport.abort()
                return answer
            if states[0] == ERROR:
                states[0] = before
                told = {"type": "ERROR", "object": status("Expired", "too old")}
                await answer.write(json.dumps(told).encode() + b"\n")
                await answer.write_eof()
                return answer
            gone = states[0] is None
            event = {"type": "DELETED" if gone else "MODIFIED", "object": states[0] or {}}
            await answer.write(json.dumps(event).encode() + b"\n")
        await answer.write_eof()
        return answer

    async def _pods(self, request: web.Request) -> web.Response:
        _, _, job = request.query["labelSelector"].partition("=")
        return web.json_response({"items": [pod for pod in self.pods if pod["job"] == job]})

    async def _log(self, request: web.Request) -> web.StreamResponse:
        answer = web.StreamResponse()
        answer.enable_chunked_encoding()
        await answer.prepare(request)
        text = self.logs[request.match_info["name"]]
        for start in range(0, len(text), 7):
            await answer.write(text[start : start + 7])
        if request.query["follow"] == "true":
            await answer.write(b"and on\n")
        await answer.write_eof()
        return answer


def status(reason: str, message: str) -> dict[str, Any]:
    """The object by which an API server refuses."""
    return {"kind": "Status", "reason": reason, "message": message}


@contextmanager
def running() -> Iterator[ApiServer]:
    """Serve on a free port, in a thread of its own."""
    server = ApiServer()
    loop = asyncio.new_event_loop()
    runner = web.AppRunner(server.app(), shutdown_timeout=1)

    async def start() -> None:
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        server.port = runner.addresses[0][1]

    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    asyncio.run_coroutine_threadsafe(start(), loop).result(10)
    try:
        yield server
    finally:
        asyncio.run_coroutine_threadsafe(runner.cleanup(), loop).result(10)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(10)
        loop.close()
