"""The API server in eight verbs, dicts in and dicts out.

Plain HTTP on one aiohttp session: no typed models, which drop the fields they do not know. Writes
are server-side apply with one field manager per component, so that an apply can be repeated at
will and never touches what others own. Every answer that is not a success is one of
`kube.errors`.

Writes pass a token bucket, and a hook sees each success: fault tests end the process at the n-th.
Urgent writes (the Lease) pass both by.
"""

import json
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, Self

import aiohttp

from tidemill import __version__
from tidemill.kube.connection import Connection
from tidemill.kube.errors import ApiError, NotFound, Unavailable
from tidemill.kube.request import Request, failure
from tidemill.kube.resources import PODS, Resource

FIELD_MANAGER = "tidemill"
STATUS_MANAGER = "tidemill-status"
APPLY = "application/apply-patch+yaml"  # JSON is YAML
MERGE = "application/merge-patch+json"
NAMES_ONLY = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1"
MAX_LOG_BYTES = 64 * 1024

logger = logging.getLogger(__name__)

Body = dict[str, Any]
Page = list[Body]  # inside the class, `list` is the verb


async def _no_wait() -> None:
    """Let every write pass at once."""


def _no_hook() -> None:
    """See writes and do nothing."""


def _no_count(method: str, status: int) -> None:
    """See answers and do nothing."""


@dataclass(frozen=True, slots=True)
class Policy:
    """What happens around each call."""

    before_write: Callable[[], Awaitable[None]] = _no_wait
    after_write: Callable[[], None] = _no_hook
    after_answer: Callable[[str, int], None] = _no_count  # HTTP method and status, 0 for no answer
    timeout: float = 30.0
    connections: int = 64  # more than workers, so that none waits for a socket


class Client:
    """One session with the API server; an asynchronous context manager."""

    def __init__(self, connection: Connection, policy: Policy = Policy()) -> None:
        """Prepare; nothing is sent before the first call."""
        self._connection = connection
        self._policy = policy
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        """Allow `async with`."""
        return self

    async def __aexit__(self, *_: object) -> None:
        """Close the session."""
        await self.close()

    async def close(self) -> None:
        """Close all connections; calls made later open new ones."""
        if self._session is not None:
            await self._session.close()
            self._session = None

    async def get(self, resource: Resource, namespace: str | None, name: str) -> Body | None:
        """Read one object; None when there is none."""
        try:
            return await self._json(Request("get", resource, resource.path(namespace, name)))
        except NotFound:
            return None

    async def get_part(
        self, resource: Resource, namespace: str | None, name: str, part: str
    ) -> Body | None:
        """Read a subresource of an object; None where there is none."""
        try:
            path = f"{resource.path(namespace, name)}/{part}"
            return await self._json(Request("get", resource, path))
        except NotFound:
            return None

    async def list(
        self,
        resource: Resource,
        namespace: str | None = None,
        *,
        labels: Mapping[str, str] | None = None,
        limit: int = 500,
    ) -> Page:
        """Read all objects of a kind, in one namespace or in all, page by page."""
        items: Page = []
        async for page in self._pages(resource, namespace, labels=labels, limit=limit):
            items += page
        for item in items:  # lists leave them out, manifests need them
            item.setdefault("apiVersion", resource.api_version)
            item.setdefault("kind", resource.kind)
        return items

    async def names(
        self, resource: Resource, namespace: str | None = None, *, limit: int = 500
    ) -> AsyncIterator[tuple[str, str]]:
        """Give (namespace, name) of every object, one page in memory at a time."""
        async for page in self._pages(resource, namespace, limit=limit, accept=NAMES_ONLY):
            for item in page:
                yield item["metadata"].get("namespace", ""), item["metadata"]["name"]

    async def serves(self, resource: Resource) -> bool:
        """Tell whether the API server knows a resource; False, too, when it does not answer."""
        try:
            found = await self._json(Request("get", resource, resource.discovery))
        except ApiError as error:
            logger.warning("Discovery failed: %s", error)
            return False
        return any(item["name"] == resource.plural for item in found.get("resources", ()))

    async def create(self, resource: Resource, body: Body, *, urgent: bool = False) -> Body:
        """Create an object; `Conflict` when the name is taken."""
        path = resource.path(body.get("metadata", {}).get("namespace"))
        params = {"fieldManager": FIELD_MANAGER}
        request = Request("create", resource, path, params=params, body=body)
        return await self._write(request, urgent=urgent)

    async def apply(self, resource: Resource, body: Body) -> Body:
        """Create what a manifest describes, or set its fields and drop those it no longer has."""
        params = {"fieldManager": FIELD_MANAGER, "force": "true"}
        return await self._write(
            Request("patch", resource, _path(resource, body), params, body, APPLY)
        )

    async def apply_status(self, resource: Resource, body: Body) -> Body:
        """Apply the status of an object; what `body["status"]` no longer names is dropped."""
        params = {"fieldManager": STATUS_MANAGER, "force": "true"}
        path = _path(resource, body) + "/status"
        return await self._write(Request("patch", resource, path, params, body, APPLY))

    async def patch(self, resource: Resource, namespace: str | None, name: str, body: Body) -> Body:
        """Merge some fields into an object: for counters, where apply does not fit."""
        params = {"fieldManager": FIELD_MANAGER}
        path = resource.path(namespace, name)
        return await self._write(Request("patch", resource, path, params, body, MERGE))

    async def replace(self, resource: Resource, body: Body, *, urgent: bool = False) -> Body:
        """Replace an object whole; `Conflict` unless `resourceVersion` is the newest."""
        params = {"fieldManager": FIELD_MANAGER}
        request = Request("update", resource, _path(resource, body), params, body)
        return await self._write(request, urgent=urgent)

    async def delete(
        self,
        resource: Resource,
        namespace: str | None,
        name: str,
        *,
        uid: str | None = None,
        propagation: str = "Background",
    ) -> None:
        """Delete an object if it is there, and with `uid` only if it is that very one."""
        options: Body = {"propagationPolicy": propagation}
        if uid is not None:
            options["preconditions"] = {"uid": uid}
        path = resource.path(namespace, name)
        try:
            await self._write(Request("delete", resource, path, body=options))
        except NotFound:
            return

    async def logs(
        self, namespace: str, pod: str, *, tail_lines: int, container: str | None = None
    ) -> str:
        """Read the end of a container's log; empty when pod, container or log are not there."""
        params = {"tailLines": str(tail_lines), "limitBytes": str(MAX_LOG_BYTES)}
        if container is not None:
            params["container"] = container
        path = PODS.path(namespace, pod) + "/log"
        status, data, _ = await self._send(Request("get", PODS, path, params))
        if status in {400, 404}:  # 400: the container has not started
            return ""
        if status >= 400:
            raise failure(Request("get", PODS, path), status, data, {})
        return data.decode(errors="replace")

    async def _pages(
        self,
        resource: Resource,
        namespace: str | None,
        *,
        labels: Mapping[str, str] | None = None,
        limit: int,
        accept: str = "application/json",
    ) -> AsyncIterator[Page]:
        params = {"limit": str(limit)}
        if labels:
            params["labelSelector"] = ",".join(f"{key}={value}" for key, value in labels.items())
        while True:
            request = Request("list", resource, resource.path(namespace), dict(params))
            page = await self._json(request, accept=accept)
            yield page.get("items") or []  # names only: null when there are none
            token = page.get("metadata", {}).get("continue")
            if not token:
                return
            params["continue"] = token

    async def _write(self, request: Request, *, urgent: bool = False) -> Body:
        if urgent:
            return await self._json(request)
        await self._policy.before_write()
        answer = await self._json(request)
        self._policy.after_write()
        return answer

    async def _json(self, request: Request, *, accept: str = "application/json") -> Body:
        status, data, headers = await self._send(request, accept)
        if status >= 400:
            raise failure(request, status, data, headers)
        body: Body = json.loads(data)
        return body

    async def _send(
        self, request: Request, accept: str = "application/json"
    ) -> tuple[int, bytes, Mapping[str, str]]:
        """Send and read whole; `Unavailable` when there is no answer in time."""
        headers = {"Accept": accept, **(await self._connection.credentials()).headers()}
        data = None
        if request.body is not None:
            headers["Content-Type"] = request.content_type
            data = json.dumps(request.body, separators=(",", ":")).encode()
        try:
            url = self._connection.server + request.path
            async with self._opened().request(
                request.method, url, params=request.params, data=data, headers=headers
            ) as response:
                content = await response.read()
                self._policy.after_answer(request.method, response.status)
                return response.status, content, response.headers
        except (aiohttp.ClientError, OSError, TimeoutError) as error:
            self._policy.after_answer(request.method, 0)
            cause = str(error) or type(error).__name__
            raise Unavailable(f"cannot {request}: {cause}") from error

    def _opened(self) -> aiohttp.ClientSession:
        if self._session is None:
            connection = self._connection
            secure = connection.server.startswith("https://")
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(
                    limit=self._policy.connections,
                    ssl=connection.ssl_context() if secure else False,
                ),
                timeout=aiohttp.ClientTimeout(total=self._policy.timeout, connect=10),
                headers={"User-Agent": f"{FIELD_MANAGER}/{__version__}"},
                proxy=connection.proxy,
            )
        return self._session


def _path(resource: Resource, body: Body) -> str:
    metadata = body["metadata"]
    return resource.path(metadata.get("namespace"), metadata["name"])
