"""A training that is killed at each of its calls to the store, just before and just after it.

Between two calls it changes nothing that anybody else could see, so that these are all the places
where it can be killed. A pod that follows, as the Job starts one, ends as if nothing had happened.
"""

import json
import multiprocessing
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from tests.contract.proxy import Asked, Proxy, Spoil, proxy
from tests.contract.s3_server import S3Server
from tests.contract.workbench import NAMESPACE, Outcome, Workbench

from tidemill.store import digests, layout, package
from tidemill_runner.exits import Exit
from tidemill_runner.paths import Paths
from tidemill_runner.run import Run
from tidemill_runner.storage import Storage

ROWS = 200
SPEC: dict[str, Any] = {
    "task": "Classification",
    "target": "side",
    "split": {"holdout": "0.2", "by": "Order"},
    # One more file would be one more call, and its making takes longer than all the rest.
    "onnx": "Never",
    "estimator": {
        "sklearn": {
            "steps": [{"name": "model", "class": "sklearn.linear_model.LogisticRegression"}]
        }
    },
    "search": {
        "method": "Grid",
        "space": {"model__C": {"values": [0.1, 10]}},
        "cv": {"folds": 2},
    },
}
ENDS = {"before": Spoil(drop=True), "after": Spoil(lose=True)}
FORKS = multiprocessing.get_context("forkserver")
FORKS.set_forkserver_preload(["tidemill_runner.train", "tidemill_runner.search.preloaded"])


def work(paths: Paths) -> None:
    """What the process of a pod does."""
    raise SystemExit(Run("train", paths, lambda: datetime.now(UTC))())


class Pod:
    """A process that may be killed when the store is asked for the n-th time."""

    def __init__(self, bench: Workbench, document: dict[str, Any]) -> None:
        self.bench, self.document = bench, document
        self.paths = bench.mount(document)
        self.process = FORKS.Process(target=work, args=(self.paths,))

    def run(self) -> int:
        self.process.start()
        self.process.join(120)
        assert self.process.exitcode is not None, "it does not end"
        return self.process.exitcode

    def outcome(self) -> Outcome:
        return self.bench.outcome(Exit(self.run()), self.document, self.paths)


class Scene:
    """One delivered version, and runs on it whose store is behind a proxy."""

    def __init__(self, server: S3Server, folder: Path, between: Proxy) -> None:
        self.server, self.between = server, between
        self.direct = Workbench(server, folder, name="killed")
        self.bench = replace(self.direct, config=between.before(server.config))
        rows = "".join(f"{i % 17},{i % 5},{'up' if i % 17 > 8 else 'down'}\n" for i in range(ROWS))
        self.direct.deliver("a.csv", f"a,b,side\n{rows}".encode())
        self.version = self.direct.ingest().result

    def document(self, name: str) -> dict[str, Any]:
        """The input of a run of its own, with models of its own."""
        uid = f"uid-{name}"
        return {
            "apiVersion": "runner.tidemill.dev/v1",
            "verb": "train",
            "namespace": NAMESPACE,
            "name": name,
            "uid": uid,
            "output": f"{layout.run_prefix(NAMESPACE, uid)}job-1/",
            "progress": None,
            "dataset": {
                "name": "killed",
                "version": self.version["version"],
                "manifest": self.version["manifest"],
                "cas": layout.cas_prefix(NAMESPACE),
            },
            "spec": SPEC,
            "models": layout.model_prefix(NAMESPACE, name),
            "image": "registry.example/runner@sha256:0",
        }

    def killed(self, document: dict[str, Any], call: int, end: str) -> bool:
        """Kill a pod at that call; False where it never came to it."""
        pod = Pod(self.bench, document)
        self.between.asked.clear()
        with told(self.between, lambda one: self._kill(pod, one, (call, end))):
            code = pod.run()
        return code < 0

    def _kill(self, pod: Pod, asked: Asked, at: tuple[int, str]) -> Spoil | None:
        call, end = at
        if asked not in self.between.asked[call - 1 : call]:
            return None
        pod.process.kill()
        return ENDS[end]

    def check(self, document: dict[str, Any]) -> None:
        """Whoever can be seen is whole: a package that has a manifest, a run that has a result."""
        for digest, files in self._packages(document).items():
            if package.MANIFEST in files:
                manifest = package.parse_manifest(files[package.MANIFEST], digest)
                package.check_names(manifest, files)
                for one in manifest.files:
                    assert digests.sha256_digest(files[one.path]) == one.digest
        found = self._under(document["output"]).get("result.json")
        if found:
            assert json.loads(found)["artifact"]["digest"] in self._packages(document)

    def _packages(self, document: dict[str, Any]) -> dict[str, dict[str, bytes]]:
        found: dict[str, dict[str, bytes]] = {}
        for path, data in self._under(document["models"]).items():
            digest, name = path.split("/", 1)
            found.setdefault(f"sha256:{digest}", {})[name] = data
        return found

    def _under(self, prefix: str) -> dict[str, bytes]:
        with Storage(self.server.config) as storage:
            return {
                one.key.removeprefix(prefix): storage.get(one.key, 1 << 30)
                for one in storage.list(prefix)
            }


class told:  # noqa: N801 - reads as what it is
    """A proxy that does what a rule says, meanwhile."""

    def __init__(self, between: Proxy, rule: Callable[[Asked], Spoil | None]) -> None:
        self.between, self.rule = between, rule

    def __enter__(self) -> None:
        self.between.rule = self.rule

    def __exit__(self, *_: object) -> None:
        self.between.rule = lambda _: None


@pytest.fixture
def scene(server: S3Server, tmp_path: Path) -> Iterator[Scene]:
    with proxy(server.config) as between:
        yield Scene(server, tmp_path, between)


@pytest.mark.parametrize("end", ENDS)
def test_killed_at_each_call_it_ends_the_same(scene: Scene, end: str) -> None:
    undisturbed = Pod(scene.bench, scene.document("calm")).outcome()
    assert undisturbed.exit is Exit.OK, undisturbed.termination
    calls = len(scene.between.asked)
    assert calls > 10
    for call in range(1, calls + 1):
        document = scene.document(f"{end}-{call}")
        assert scene.killed(document, call, end), f"call {call} of {calls} was not made"
        scene.check(document)
        again = Pod(scene.bench, document).outcome()
        assert again.exit is Exit.OK, (call, again.termination)
        assert again.result["artifact"]["digest"] == undisturbed.result["artifact"]["digest"]
        assert again.result["metrics"] == undisturbed.result["metrics"]
        scene.check(document)
