"""An API server in a dictionary, for what a decision alone cannot show.

It stores what is written, gives out uids and generations, and can die at the n-th write: before it
is stored or after. It knows no rights, no defaults and no admission; those are tested on a real
API server.
"""

import copy
from collections.abc import Mapping
from typing import Any

from tidemill.kube.errors import Conflict, NotFound
from tidemill.kube.resources import DEPLOYMENTS, EVENTS, Resource, of

Body = dict[str, Any]
CREATED = "2025-01-01T00:00:00Z"


class Killed(Exception):  # noqa: N818 - what happened to the operator
    """The operator was killed at this write."""


class FakeApi:
    """Objects by resource, namespace and name; `writes` tells what was written, Events apart."""

    def __init__(self) -> None:
        self.objects: dict[tuple[Resource, str, str], Body] = {}
        self.writes: list[str] = []
        self.events: list[Body] = []
        self.created: list[str] = []
        self.reads = 0
        self.die_at = 0
        self.refuse: dict[tuple[str, Resource], Exception] = {}
        self.unreadable: dict[Resource, Exception] = {}
        self._uids = 0

    # What tests do

    def put(self, body: Body) -> Body:
        """Store an object as somebody other than the operator does."""
        resource, metadata = of(body), body["metadata"]
        self._uids += 1
        fresh = {"uid": f"u{self._uids}", "generation": 1, "creationTimestamp": CREATED}
        body["metadata"] = {**fresh, **metadata}
        self.objects[resource, metadata["namespace"], metadata["name"]] = body
        return body

    def all(self, resource: Resource) -> list[Body]:
        return [body for (kind, _, _), body in self.objects.items() if kind is resource]

    def one(self, resource: Resource) -> Body:
        [body] = self.all(resource)
        return body

    def remove(self, body: Body) -> None:
        metadata = body["metadata"]
        del self.objects[of(body), metadata["namespace"], metadata["name"]]

    # What the operator does

    async def get(self, resource: Resource, namespace: str, name: str) -> Body | None:
        self.reads += 1
        if resource in self.unreadable:
            raise self.unreadable[resource]
        return copy.deepcopy(self.objects.get((resource, namespace, name)))

    async def get_part(
        self,
        resource: Resource,  # noqa: ARG002
        namespace: str,  # noqa: ARG002
        name: str,  # noqa: ARG002
        part: str,  # noqa: ARG002
    ) -> Body | None:
        return None

    async def list(
        self, resource: Resource, namespace: str, *, labels: Mapping[str, str] | None = None
    ) -> list[Body]:
        self.reads += 1
        wanted = (labels or {}).items()
        return [
            copy.deepcopy(body)
            for (kind, place, _), body in self.objects.items()
            if kind is resource
            and place == namespace
            and wanted <= body["metadata"].get("labels", {}).items()
        ]

    async def logs(
        self,
        namespace: str,  # noqa: ARG002
        pod: str,
        *,
        tail_lines: int,  # noqa: ARG002
        container: str | None = None,
    ) -> str:
        # As the API: without a name it is that of the pod's one container.
        return f"log of {pod}\n" if container in (None, "runner") else f"log of {container}\n"

    async def create(self, resource: Resource, body: Body) -> Body:
        place = self._place(resource, body)
        if place in self.objects:
            raise Conflict(f"{place[2]} exists", status=409)
        if resource is EVENTS:
            self.events.append(body)
            return body
        with self._write("create", resource, place[2]):
            self.created.append(f"{resource.kind} {place[2]}")
            return self.put(copy.deepcopy(body))

    async def apply(self, resource: Resource, body: Body) -> Body:
        place = self._place(resource, body)
        with self._write("apply", resource, place[2]):
            if place not in self.objects:
                self.created.append(f"{resource.kind} {place[2]}")
                return self.put(copy.deepcopy(body))
            return self._merged(place, body)

    async def patch(self, resource: Resource, namespace: str, name: str, body: Body) -> Body:
        with self._write("patch", resource, name):
            return self._merged((resource, namespace, name), body)

    async def apply_status(self, resource: Resource, body: Body) -> Body:
        place = self._place(resource, body)
        with self._write("status", resource, place[2]):
            if place not in self.objects:
                raise NotFound("gone", status=404)
            live = self.objects[place]
            if body["metadata"].get("uid", live["metadata"]["uid"]) != live["metadata"]["uid"]:
                raise Conflict("another uid", status=409)
            live["status"] = copy.deepcopy(body["status"])
            return live

    async def delete(
        self, resource: Resource, namespace: str, name: str, *, uid: str | None = None
    ) -> None:
        with self._write("delete", resource, name):
            live = self.objects.get((resource, namespace, name))
            if live and uid not in (None, live["metadata"]["uid"]):
                raise Conflict("another uid", status=409)
            self.objects.pop((resource, namespace, name), None)

    def _place(self, resource: Resource, body: Body) -> tuple[Resource, str, str]:
        return resource, body["metadata"]["namespace"], body["metadata"]["name"]

    def _merged(self, place: tuple[Resource, str, str], body: Body) -> Body:
        live = self.objects[place]
        before = _counted(place[0], live)
        _merge(live, copy.deepcopy(body))
        if _counted(place[0], live) != before:
            live["metadata"]["generation"] += 1
        return copy.deepcopy(live)

    def _write(self, verb: str, resource: Resource, name: str) -> "_Write":
        if refusal := self.refuse.get((verb, resource)):
            raise refusal
        self.writes.append(f"{verb} {resource.kind} {name}")
        return _Write(dies=len(self.writes) == self.die_at)


def _counted(resource: Resource, body: Body) -> Body:
    """Give what makes another generation: the spec, and the annotations of a Deployment."""
    notes = body["metadata"].get("annotations") if resource is DEPLOYMENTS else None
    return copy.deepcopy({"spec": body.get("spec"), "notes": notes})


class _Write:
    """A write that reaches the store, whether or not its author lives to see it."""

    def __init__(self, *, dies: bool) -> None:
        self._dies = dies

    def __enter__(self) -> None:
        """Begin."""

    def __exit__(self, kind: object, *_: object) -> None:
        if self._dies and kind is None:
            raise Killed


def _merge(live: Body, change: Body) -> None:
    for key, value in change.items():
        if isinstance(value, dict) and isinstance(live.get(key), dict):
            _merge(live[key], value)
        else:
            live[key] = value
