"""The table of checks, and the words in which each says what it expects.

1 to 23 are those by which servers were compared before; 24, 25 and those from 51 on are of gRPC, in
`rpc_checks`. A check
gets a `Target` and raises AssertionError where the server does otherwise.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from tests.oip.target import Reply, Target

CHECKS: list["Check"] = []


@dataclass(frozen=True)
class Check:
    number: int
    name: str
    run: Callable[[Target], None]

    @property
    def label(self) -> str:
        return f"{self.number:02} {self.name}"


def check(number: int, name: str) -> Callable[[Callable[[Target], None]], Callable[[Target], None]]:
    def add(run: Callable[[Target], None]) -> Callable[[Target], None]:
        CHECKS.append(Check(number, name, run))
        return run

    return add


def refused(reply: Reply, status: int = 400) -> None:
    """The protocol's error object, and nothing else."""
    assert reply.status == status, (reply.status, reply.body[:300])
    assert isinstance(reply.json, dict), reply.body[:300]
    assert isinstance(reply.json.get("error"), str), reply.body[:300]
    assert reply.json["error"]


def changed(target: Target, **fields: Any) -> dict[str, Any]:
    """The valid request with fields of its first tensor replaced."""
    request = target.request()
    request["inputs"][0] |= fields
    return request


def plain(target: Target) -> dict[str, dict[str, Any]]:
    return target.answered(target.infer(target.request()))
