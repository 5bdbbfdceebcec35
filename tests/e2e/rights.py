"""Which rights there are, which were used, and which could go without anybody noticing.

Rights are what the roles grant, one verb on one resource at a time; what was asked for is in the
API server's audit log, with the authorizer's decision.
"""

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any, NamedTuple

DECISION = "authorization.k8s.io/decision"
CREATED = 201


class Asked(NamedTuple):
    """What one request wants to do to what."""

    verb: str
    group: str
    resource: str  # with the subresource: `pods/log`
    namespace: str
    name: str


@dataclass(frozen=True, order=True)
class Grant:
    """One verb on one resource; an empty namespace or name stands for all."""

    resource: str
    verb: str
    group: str
    namespace: str = ""
    name: str = ""

    def allows(self, asked: Asked) -> bool:
        """Decide as RBAC does."""
        where = self.namespace in ("", asked.namespace) and self.name in ("", asked.name)
        what = (self.verb, self.group, self.resource)
        return where and what == (asked.verb, asked.group, asked.resource)


def grants(role: Mapping[str, Any]) -> set[Grant]:
    """Take a Role or ClusterRole apart."""
    found: set[Grant] = set()
    for rule in role["rules"]:
        parts = (rule["apiGroups"], rule["resources"], rule["verbs"], rule.get("resourceNames", ""))
        for group, resource, verb, name in product(*parts[:3], parts[3] or ("",)):
            namespace = role["metadata"].get("namespace", "")
            found.add(Grant(resource, verb, group, namespace, name))
    return found


def events(log: Path) -> Iterator[Mapping[str, Any]]:
    """Read the audit log, the parts that the API server put aside first."""
    for part in sorted(log.parent.glob(f"{log.stem}*{log.suffix}")):
        with part.open(encoding="utf-8") as lines:
            yield from (json.loads(line) for line in lines)


def asked(event: Mapping[str, Any]) -> set[Asked]:
    """Give what a request needed; an apply that creates needs the right to create as well."""
    thing = event.get("objectRef")
    if thing is None:  # the paths by which a client discovers the API
        return set()
    resource = "/".join(filter(None, (thing.get("resource"), thing.get("subresource"))))
    place = (thing.get("apiGroup", ""), resource, thing.get("namespace", ""))
    made = event["verb"] != "create" and event["responseStatus"]["code"] == CREATED
    wanted = {Asked(event["verb"], *place, thing.get("name", ""))}
    return wanted | ({Asked("create", *place, "")} if made else set())


def needed(having: Iterable[Grant], requests: Iterable[Asked]) -> set[Grant]:
    """Find the grants without which one of the requests would have been refused."""
    every = tuple(having)
    found: set[Grant] = set()
    for request in requests:
        allowing = [grant for grant in every if grant.allows(request)]
        if len(allowing) == 1:
            found.update(allowing)
    return found


def was_refused(event: Mapping[str, Any]) -> bool:
    """Tell a missing right from what else answers 403: admission, quota, an ending namespace."""
    return bool(event.get("annotations", {}).get(DECISION) == "forbid")
