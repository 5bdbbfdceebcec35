"""A Dataset from another one: which version, when it is woken, and no circles."""

import itertools
import json
from typing import Any

import pytest
from prometheus_client import CollectorRegistry
from tests.unit.children.world import NAMESPACE, World, condition_types, once, summary, until_quiet
from tests.unit.dataset.scene import RESULT, VERSION
from tests.unit.dataset.test_sources import given

from tidemill.dataset.gate import Gate
from tidemill.dataset.materialising import Materialising
from tidemill.dataset.online_metrics import OnlineMetrics
from tidemill.dataset.reconcile import DatasetReconciler
from tidemill.dataset.shelves import Shelves
from tidemill.dataset.upstream import MAX_CHAIN
from tidemill.engine.context import Context
from tidemill.engine.key import Key
from tidemill.engine.result import Result
from tidemill.jobs.launcher import Launcher
from tidemill.jobs.progress import Tokens
from tidemill.kube.resources import DATASETS, JOBS
from tidemill.store import layout
from tidemill.store.errors import AccessDenied, Unavailable
from tidemill.store.manifest import Entry, Manifest

KIND, NAME, ABOVE = "Dataset", "down", "up"
NEWER = "sha256:" + "2" * 64
OLD = Manifest.of("CSV", VERSION, [Entry("a.csv", NEWER, 7), Entry("b.csv", NEWER, 9)])


def derived(name: str = ABOVE, version: str | None = None) -> dict[str, Any]:
    reference = {"name": name} | ({"version": version} if version else {})
    return {"source": {"dataset": reference}}


class Operator:
    """One process, whose waiters can be looked at."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.context: Context = world.context()
        launcher = Launcher(self.context, world.platform, Tokens("s"))
        self.reconcile = DatasetReconciler(
            launcher, Gate(), Shelves(), Materialising(launcher, OnlineMetrics(CollectorRegistry()))
        ).reconcile

    async def run(self) -> None:
        await until_quiet(self.world, self.reconcile, KIND, NAME)

    async def once(self) -> Result | None:
        return await once(self.reconcile, KIND, NAME)

    def woken_by(self, name: str) -> set[str]:
        return {key.name for key in self.context.waiters.take(Key(KIND, NAMESPACE, name))}


@pytest.fixture
def operator(world: World) -> Operator:
    return Operator(world)


def put_above(world: World, version: str | None = VERSION, name: str = ABOVE) -> dict[str, Any]:
    """Have a Dataset with a version in status and store, or without one."""
    body = world.put(KIND, name, {"source": {"s3": {"bucket": "raw", "format": "CSV"}}})
    if version:
        deliver(world, body, version)
    return body


def deliver(world: World, above: dict[str, Any], version: str) -> None:
    entry = {
        "version": version,
        "rows": 5,
        "bytes": 50,
        "objects": 2,
        "createdAt": "2025-01-01T00:00:00Z",
    }
    others = above.get("status", {}).get("versions", [])
    above["status"] = {"version": version, "versions": [entry, *others]}
    key = layout.manifest_key(NAMESPACE, above["metadata"]["name"], version)
    world.store.objects[key] = b"a manifest"


def job_of(world: World, body: dict[str, Any]) -> dict[str, Any]:
    uid = body["metadata"]["uid"]
    [job] = [j for j in world.api.all(JOBS) if j["metadata"]["ownerReferences"][0]["uid"] == uid]
    return job


async def succeed(operator: Operator, body: dict[str, Any], version: str = VERSION) -> None:
    world = operator.world
    job = job_of(world, body)
    key = f"runs/{NAMESPACE}/{body['metadata']['uid']}/{job['metadata']['name']}/result.json"
    world.store.objects[key] = json.dumps({**RESULT, "version": version}).encode()
    world.end_job(job, "Complete")
    await operator.run()
    assert summary(body)["status"] == "True"


async def test_what_the_runner_is_told(world: World, operator: Operator) -> None:
    put_above(world)
    body = world.put(KIND, NAME, derived())
    await operator.run()  # nothing settles
    document = given(world)
    assert document["source"] == {
        "kind": "Dataset",
        "name": ABOVE,
        "version": VERSION,
        "manifest": f"datasets/{NAMESPACE}/{ABOVE}/manifests/{'1' * 64}.jsonl",
    }
    assert document["fingerprint"] == VERSION
    assert document["manifests"] == f"datasets/{NAMESPACE}/{NAME}/manifests/"
    found = body["status"]["source"]
    assert (found["fingerprint"], found["objects"], found["bytes"]) == (VERSION, 2, 50)


async def test_a_new_version_above_makes_one_below(world: World, operator: Operator) -> None:
    above = put_above(world)
    body = world.put(KIND, NAME, derived())
    await operator.run()
    await succeed(operator, body)
    result = await operator.once()
    assert result is not None
    assert result.requeue_after is None  # nothing is polled
    assert operator.woken_by(ABOVE) == {NAME}
    deliver(world, above, NEWER)
    await operator.run()
    assert given(world)["fingerprint"] == NEWER
    await succeed(operator, body, NEWER)
    assert body["status"]["version"] == NEWER
    assert operator.woken_by(ABOVE) == {NAME}


async def test_at_rest_nothing_is_written(world: World, operator: Operator) -> None:
    put_above(world)
    body = world.put(KIND, NAME, derived())
    await operator.run()
    await succeed(operator, body)
    before = len(world.api.writes)
    world.wait(600)
    await operator.once()
    assert len(world.api.writes) == before


@pytest.mark.parametrize("there", [False, True], ids=["no Dataset", "no version"])
async def test_it_waits_for_the_one_above(world: World, operator: Operator, there: bool) -> None:
    above = put_above(world, None) if there else None
    body = world.put(KIND, NAME, derived())
    result = await operator.once()
    assert result is not None
    assert result.requeue_after is None
    assert summary(body)["reason"] == "WaitingForDataset"
    assert f"Dataset {ABOVE}" in summary(body)["message"]
    assert condition_types(body) == {"Ready", "Reconciling"}
    assert operator.woken_by(ABOVE) == {NAME}
    above = above or put_above(world, None)
    deliver(world, above, VERSION)
    await operator.run()
    assert summary(body)["reason"] == "Ingesting"


async def test_one_that_is_being_deleted_is_none(world: World, operator: Operator) -> None:
    above = put_above(world)
    above["metadata"]["deletionTimestamp"] = "2025-01-01T00:00:00Z"
    body = world.put(KIND, NAME, derived())
    await operator.run()
    assert summary(body)["reason"] == "WaitingForDataset"


async def test_a_version_named_stays(world: World, operator: Operator) -> None:
    above = put_above(world)
    body = world.put(KIND, NAME, derived(version=VERSION))
    await operator.run()
    await succeed(operator, body)
    deliver(world, above, NEWER)
    before = len(world.api.writes)
    await operator.run()
    assert len(world.api.writes) == before


async def test_what_is_ingested_needs_the_one_above_no_more(
    world: World, operator: Operator
) -> None:
    put_above(world)
    body = world.put(KIND, NAME, derived(version=VERSION))
    await operator.run()
    await succeed(operator, body)
    world.store.objects.clear()
    await operator.run()
    assert summary(body)["status"] == "True"


async def test_a_version_older_than_the_status_remembers(world: World, operator: Operator) -> None:
    put_above(world, NEWER)
    key = layout.manifest_key(NAMESPACE, ABOVE, OLD.digest)
    world.store.objects[key] = OLD.to_bytes()
    body = world.put(KIND, NAME, derived(version=OLD.digest))
    await operator.run()
    found = body["status"]["source"]
    assert (found["fingerprint"], found["objects"], found["bytes"]) == (OLD.digest, 2, 16)


@pytest.mark.parametrize(
    ("version", "reason", "words"),
    [
        (NEWER, "VersionNotFound", f"spec.source.dataset.version: Dataset {ABOVE} has no version"),
        (None, "DatasetCorrupt", f"of Dataset {ABOVE} is gone from the store"),
    ],
    ids=["named", "latest"],
)
async def test_a_version_that_is_not_in_the_store(
    world: World, operator: Operator, version: str | None, reason: str, words: str
) -> None:
    put_above(world)
    world.store.objects.clear()
    body = world.put(KIND, NAME, derived(version=version))
    await operator.run()
    assert summary(body)["reason"] == reason
    assert words in summary(body)["message"]
    assert condition_types(body) == {"Ready", "Stalled"}


async def test_a_manifest_that_is_none_is_told(world: World, operator: Operator) -> None:
    put_above(world, NEWER)
    world.store.objects[layout.manifest_key(NAMESPACE, ABOVE, OLD.digest)] = b"{}"
    body = world.put(KIND, NAME, derived(version=OLD.digest))
    await operator.run()
    assert summary(body)["reason"] == "DatasetCorrupt"


@pytest.mark.parametrize(
    ("error", "reason"),
    [(Unavailable("away"), "StoreUnavailable"), (AccessDenied("no"), "AccessDenied")],
    ids=["away", "denied"],
)
async def test_a_store_in_trouble_is_told_and_heals(
    world: World, operator: Operator, error: Any, reason: str
) -> None:
    put_above(world)
    body = world.put(KIND, NAME, derived())
    world.store.fault = error
    for _ in range(2):
        await operator.once()
    assert summary(body)["reason"] == reason
    world.store.fault = None
    await operator.run()
    assert summary(body)["reason"] == "Ingesting"


@pytest.mark.parametrize(
    ("row", "shown"),
    [
        ([NAME], "down → down"),
        (["a"], "down → a → down"),
        (["a", "b", "c"], "down → a → b → c → down"),
    ],
    ids=["itself", "two", "four"],
)
async def test_a_circle_is_refused_and_heals(
    world: World, operator: Operator, row: list[str], shown: str
) -> None:
    body = world.put(KIND, NAME, derived(row[0]))
    last = body
    for name, above in zip(row, [*row[1:], NAME], strict=True):
        if name != NAME:
            last = world.put(KIND, name, derived(above))
    await operator.run()
    assert summary(body)["reason"] == "SpecInvalid"
    assert f"spec.source.dataset.name leads in a circle: {shown}: " in summary(body)["message"]
    assert condition_types(body) == {"Ready", "Stalled"}
    put_above(world)
    last["spec"] = derived()
    await operator.run()
    assert summary(body)["reason"] != "SpecInvalid"


async def test_a_circle_of_others_is_theirs(world: World, operator: Operator) -> None:
    world.put(KIND, "a", derived("b"))
    world.put(KIND, "b", derived("a"))
    body = world.put(KIND, NAME, derived("a"))
    await operator.run()
    assert summary(body)["reason"] == "WaitingForDataset"


@pytest.mark.parametrize(("length", "refused"), [(MAX_CHAIN, False), (MAX_CHAIN + 1, True)])
async def test_a_row_has_an_end(
    world: World, operator: Operator, length: int, refused: bool
) -> None:
    names = [NAME, *(f"d{n}" for n in range(1, length))]
    for name, above in itertools.pairwise(names):
        world.put(KIND, name, derived(above))
    put_above(world, name=names[-1])
    await operator.run()
    body = world.api.objects[DATASETS, NAMESPACE, NAME]
    assert summary(body)["reason"] == ("SpecInvalid" if refused else "WaitingForDataset")


async def test_only_the_manifest_read_is_opened_to_the_job(
    world: World, operator: Operator, granted: list[Any]
) -> None:
    put_above(world)
    world.put(KIND, NAME, derived())
    await operator.run()
    [policy] = granted
    own = layout.dataset_prefix(NAMESPACE, NAME)
    assert policy.read == (f"cas/{NAMESPACE}/sha256/", own)
    assert policy.read_keys == (layout.manifest_key(NAMESPACE, ABOVE, VERSION),)
