"""Keys that end while a run is at work: it goes on with those that have taken their place."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from tests.contract.proxy import Asked, Proxy, Spoil, proxy
from tests.contract.s3_server import S3Server
from tests.contract.workbench import NAMESPACE, Workbench

from tidemill.store import mounted
from tidemill.store.config import StoreConfig
from tidemill.store.credentials import assume_role, train_policy
from tidemill_runner.exits import Exit

LINES = "a,y\n" + "".join(f"{i},{int(i > 20)}\n" for i in range(50))
SPEC = {
    "task": "Classification",
    "target": "y",
    "estimator": {
        "sklearn": {"steps": [{"name": "m", "class": "sklearn.tree.DecisionTreeClassifier"}]}
    },
}
ENDED = Spoil(status=403, code="ExpiredToken")
UID = "uid-of-keys-that-end"
only_minio = pytest.mark.only_minio("STS: without it a Job has keys that do not end")


@pytest.fixture
def between(server: S3Server) -> Iterator[Proxy]:
    with proxy(server.config) as running:
        yield running


def grant(server: S3Server) -> StoreConfig:
    """Keys as the operator gives them to a Job."""
    policy = train_policy(server.config.bucket, NAMESPACE, "elec2", UID, "elec2")
    granted = assume_role(server.config, policy, 900)
    assert granted
    return granted.config


class Life:
    """The life of a run's first keys: at a call others lie in the pod, and then the first end."""

    def __init__(self, first: StoreConfig, then: StoreConfig, call: int) -> None:
        self.first, self.then, self.call = first, then, call
        self.folder: Path | None = None
        self.used: list[str] = []  # by whom the calls were signed, in their order

    def __call__(self, asked: Asked) -> Spoil | None:
        signed = asked.headers["authorization"]
        known = {"first": self.first.access_key, "then": self.then.access_key}
        self.used.append(next(name for name, key in known.items() if key in signed))
        if len(self.used) == self.call:
            self._renew()
        return ENDED if self.used[-1] == "first" and len(self.used) > self.call else None

    def _renew(self) -> None:
        assert self.folder
        for name, value in self.then.to_values().items():
            (self.folder / name).write_text(value)


@only_minio
@pytest.mark.parametrize("call", [1, 3, 6])
def test_a_run_goes_on_with_those_that_have_taken_their_place(
    server: S3Server,
    between: Proxy,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    call: int,
) -> None:
    # The first end at once, and not minutes after the others have come.
    monkeypatch.setattr(mounted, "KEPT", timedelta(0))
    whole = Workbench(server, tmp_path / "whole")
    whole.deliver("a.csv", LINES.encode())
    ingested = whole.ingest().result
    first, then = (between.before(grant(server)) for _ in range(2))
    life = Life(first, then, call)
    bench = Workbench(server, tmp_path / "scoped", config=first)
    mount = bench.mount

    def noted(document: dict[str, Any]) -> Any:
        paths = mount(document)
        life.folder = paths.store
        return paths

    bench.mount = noted  # type: ignore[method-assign]
    between.rule = life
    run = {"uid": UID, "output": f"runs/{NAMESPACE}/{UID}/job-{call}/"}
    outcome = bench.train(ingested, SPEC, **run)
    assert outcome.exit is Exit.OK, outcome.termination
    assert life.used == ["first"] * call + ["then"] * (len(life.used) - call)
    assert len(life.used) > call + 3
