"""Servers before a small container: one process for each protocol, started once."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from tests.unit.server.servers import Server, started
from tests.unit.server.upstream.stub import Say, Stub, ok

DIGEST = "sha256:" + "ab" * 32
READY = {"OpenInference": "/v2/health/ready", "Http": "/"}
LIMITS = {
    "TIDEMILL_MAX_BODY_BYTES": "1000",
    "TIDEMILL_MAX_ANSWER_BYTES": "2000",
    "TIDEMILL_MAX_IN_FLIGHT": "2",
}


@dataclass
class Pair:
    """A server and the container behind it."""

    server: Server
    stub: Stub
    ready: str

    def says(self, say: Say) -> None:
        """Have the container answer so; it is ready all the same."""
        self.stub.heard.clear()
        self.stub.say = lambda heard: ok() if heard.target == self.ready else say(heard)

    @property
    def heard(self) -> list[Any]:
        """What was asked by clients."""
        return [one for one in self.stub.heard if one.target != self.ready]

    def outcome(self, name: str) -> float:
        """Requests that ended so."""
        begin = f'tidemill_server_requests_total{{outcome="{name}"}} '
        text = self.server.get("/metrics").body.decode()
        return next(
            float(line[len(begin) :]) for line in text.splitlines() if line.startswith(begin)
        )


def standing(stub: Stub, protocol: str, folder: Path, **env: str) -> Any:
    """A server before it."""
    told = {
        "TIDEMILL_UPSTREAM": f"http://127.0.0.1:{stub.port}",
        "TIDEMILL_UPSTREAM_PROTOCOL": protocol,
        "TIDEMILL_MODEL_URI": f"registry.example/peaks@{DIGEST}",
    }
    return started(folder, DIGEST, **told, **LIMITS, **env)


def _pair(protocol: str, folder: Path, **env: str) -> Iterator[Pair]:
    with Stub() as stub, standing(stub, protocol, folder, **env) as server:
        yield Pair(server.ready(), stub, READY[protocol])


@pytest.fixture(scope="session")
def inference(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pair]:
    """A container of the Open Inference Protocol."""
    yield from _pair("OpenInference", tmp_path_factory.mktemp("inference"))


@pytest.fixture(scope="session")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pair]:
    """A container of plain HTTP."""
    yield from _pair("Http", tmp_path_factory.mktemp("plain"))
