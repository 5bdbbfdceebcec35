"""A namespace and its bucket, looked at again and again."""

from datetime import timedelta
from typing import Any, cast

import pytest
from tests.unit.dataset.house import DAY, KEY, SOURCE, House
from tests.unit.store.memory import NAMESPACE

from tidemill.children.ownership import KIND_LABEL, MANAGED_BY
from tidemill.dataset import policies
from tidemill.engine.errors import Retry, Stalled
from tidemill.engine.key import Key
from tidemill.store import digests, layout
from tidemill.store.errors import StoreError, Unavailable


@pytest.fixture
def house() -> House:
    return House()


async def three(house: House) -> tuple[str, str, str]:
    """Deliver three versions, the first first."""
    return (
        await house.deliver("first"),
        await house.deliver("second"),
        await house.deliver("third"),
    )


async def test_nothing_goes_where_nobody_asks(house: House) -> None:
    house.dataset()
    made = await three(house)
    for _ in range(5):
        await house.look()
    assert house.versions() == set(made)
    assert house.memory.deleted == []
    assert layout.retention_key(NAMESPACE) not in house.memory.objects


async def test_versions_are_condemned_shown_and_removed_and_then_their_content(
    house: House,
) -> None:
    body = house.dataset(retention={"versions": 1})
    first, second, third = await three(house)
    body["status"] = {"versions": [{"version": one} for one in (third, second, first)]}
    await house.look()
    assert house.versions() == {first, second, third}
    shown = house.status([third, second, first]).retention
    assert (shown.versions, shown.condemned, shown.condemned_bytes, shown.removed) == (3, 2, 11, 0)
    assert shown.next_removal_time == house.world.now + timedelta(days=1)
    assert house.metric("condemned_versions") == 2

    await house.look(DAY - 1)
    assert house.versions() == {first, second, third}
    await house.look()
    assert house.versions() == {third}
    assert house.has("first")
    told = house.status([third, second, first])
    assert [one.version for one in told.versions] == [third]
    assert (told.retention.versions, told.retention.condemned, told.retention.removed) == (1, 0, 2)
    assert told.retention.next_removal_time is None

    await house.look()
    assert not house.has("first")
    assert house.has("third")
    assert (house.metric("removed_versions_total"), house.metric("removed_objects_total")) == (2, 2)
    assert house.metric("removed_bytes_total") == len("firstsecond")


async def test_a_new_process_goes_on_where_the_last_one_ended(house: House) -> None:
    house.dataset(retention={"versions": 1})
    _, _, third = await three(house)
    await house.look()
    house.begin()
    await house.look()
    assert house.versions() == {third}
    house.begin()
    await house.look()
    assert house.status([]).retention.removed == 2


async def test_looks_are_rare(house: House) -> None:
    house.dataset(retention={"versions": 1})
    await house.look()
    house.memory.objects.clear()
    house.memory.refused.add("everything")
    await three(house)
    await house.look(60)
    assert house.status([]).retention.versions == 0
    await house.look(3600)
    assert house.status([]).retention.versions == 3


@pytest.mark.parametrize(
    ("kind", "spec", "more"),
    [
        ("TrainingRun", {"data": {"dataset": {"version": "$"}}}, {}),
        ("TrainingRun", {}, {"status": {"dataset": {"version": "$"}}}),
        ("ModelDeployment", {}, {"status": {"trainedOn": "$"}}),
        ("ModelDeployment", {"models": [{"name": "a", "digest": "$"}]}, {}),
        ("Dataset", {"source": {"dataset": {"name": "power", "version": "$"}}}, {}),
        ("Dataset", {"source": SOURCE}, {"status": {"rejected": {"version": "$"}}}),
    ],
    ids=[
        "run-names",
        "run-has-read",
        "deployment",
        "of-several",
        "made-from",
        "rejected-in-status",
    ],
)
async def test_what_is_used_stays_until_it_is_not(
    house: House, kind: str, spec: dict[str, Any], more: dict[str, Any]
) -> None:
    house.dataset(retention={"versions": 1})
    first, _, third = await three(house)
    user = house.put(kind, "user", _with(spec, first), **_with(more, first))
    for _ in range(3):
        await house.look()
    assert house.versions() == {first, third}
    house.world.api.remove(user)
    await house.look()
    assert house.versions() == {first, third}
    await house.look()
    assert house.versions() == {third}


async def test_what_a_package_was_made_from_stays_when_its_run_is_gone(house: House) -> None:
    house.dataset(retention={"versions": 1})
    first, _, third = await three(house)
    key = f"{layout.package_prefix(NAMESPACE, 'model', 'sha256:' + '7' * 64)}lineage.json"
    await house.memory.put(key, digests.canonical_json({"dataset": {"version": first}}))
    for _ in range(3):
        await house.look()
    assert house.versions() == {first, third}
    del house.memory.objects[key]
    for _ in range(2):
        await house.look()
    assert house.versions() == {third}


async def test_a_run_that_comes_in_the_last_moment_keeps_its_version(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The new run is there when it is quiet, and was not when the look began."""
    house.dataset(retention={"versions": 1})
    first, _, third = await three(house)
    await house.look()
    keep = house.memory.put

    async def put(key: str, data: bytes) -> None:
        await keep(key, data)
        if key == layout.retention_key(NAMESPACE):
            house.put("TrainingRun", "new", {"data": {"dataset": {"version": first}}})

    monkeypatch.setattr(house.memory, "put", put)
    await house.deliver("fourth")  # so that there is something to be written down first
    await house.look()
    assert first in house.versions()
    assert third in house.versions()


def a_job(phase: str | None) -> dict[str, Any]:
    conditions = [{"type": phase, "status": "True", "lastTransitionTime": "2026-11-01T00:00:00Z"}]
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": _ingests("power-1"),
        "spec": {"template": {}},
        "status": {"conditions": conditions if phase else []},
    }


def a_pod(phase: str) -> dict[str, Any]:
    metadata = _ingests("power-1-x")
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "status": {"phase": phase}}


def _ingests(name: str) -> dict[str, Any]:
    labels = {**MANAGED_BY, KIND_LABEL: "Dataset"}
    return {"name": name, "namespace": NAMESPACE, "labels": labels}


@pytest.mark.parametrize(
    ("body", "busy"),
    [
        (a_job(None), True),
        (a_job("Complete"), False),
        (a_job("Failed"), False),
        (a_pod("Running"), True),
        (a_pod("Pending"), True),
        (a_pod("Succeeded"), False),
    ],
    ids=["job", "job-complete", "job-failed", "pod", "pod-pending", "pod-ended"],
)
async def test_nothing_is_deleted_while_an_ingest_runs(
    house: House, body: dict[str, Any], busy: bool
) -> None:
    house.dataset(retention={"versions": 1})
    await three(house)
    await house.look()
    live = house.world.api.put(body)
    result = await house.look()
    assert (house.memory.deleted == []) is busy
    assert (result.requeue_after is not None) is busy
    house.world.api.remove(live)
    await house.look(60)
    assert len(house.versions()) == 1


@pytest.mark.parametrize(("phase", "stays"), [(None, True), ("Complete", False)])
async def test_a_job_keeps_what_it_names_while_it_lasts(
    house: House, phase: str | None, stays: bool
) -> None:
    house.dataset(retention={"versions": 1})
    first, _, third = await three(house)
    job = a_job(phase)
    job["metadata"]["labels"][KIND_LABEL] = "TrainingRun"
    job["metadata"]["annotations"] = {"tidemill.dev/previous-version": first}
    house.world.api.put(job)
    for _ in range(3):
        await house.look()
    assert house.versions() == ({first, third} if stays else {third})


@pytest.mark.parametrize("retention", [{}, {"versions": 0}, {"age": "for ever"}, {"keep": 1}])
async def test_what_cannot_be_read_asks_for_nothing(house: House, retention: Any) -> None:
    house.dataset(retention=retention)
    house.dataset("suspended", retention={"versions": 1}, suspend=True)
    made = await three(house)
    await house.deliver("a", "suspended")
    await house.deliver("b", "suspended")
    for _ in range(3):
        await house.look()
    assert house.versions() == set(made)
    assert len(house.versions("suspended")) == 2


async def gone(house: House, policy: str) -> None:
    body = house.dataset()
    await three(house)
    note = {"namespace": NAMESPACE, "name": "power", "uid": "u9"}
    await policies.write(cast("Any", house.memory), note, policy)
    await house.memory.put(f"{layout.run_prefix(NAMESPACE, 'u9')}job/result.json", b"{}")
    await house.look()
    house.world.api.remove(body)


async def test_a_deleted_dataset_leaves_its_versions(house: House) -> None:
    await gone(house, "Retain")
    for _ in range(4):
        await house.look()
    assert len(house.versions()) == 3


async def test_a_dataset_deleted_with_all_its_versions(house: House) -> None:
    await gone(house, "Delete")
    await house.look()
    assert len(house.versions()) == 3
    await house.look()
    assert house.versions() == set()
    await house.look()
    assert set(house.memory.objects) == {layout.retention_key(NAMESPACE)}
    await house.look()
    assert house.metric("removed_versions_total") == 3


async def test_content_is_looked_for_until_it_was_found(house: House) -> None:
    """Of the Dataset nothing is left that would ask for it."""
    await gone(house, "Delete")
    await house.look()
    await house.look()
    running = house.world.api.put(a_job(None))
    await house.look()
    assert house.has("first")
    house.world.api.remove(running)
    await house.look()
    assert set(house.memory.objects) == {layout.retention_key(NAMESPACE)}


async def test_a_note_is_made_only_where_it_says_something(house: House) -> None:
    store, note = cast("Any", house.memory), {"namespace": NAMESPACE, "name": "power", "uid": "u"}
    await policies.write(store, note, "Retain")
    assert house.memory.objects == {}
    await policies.write(store, note, "Delete")
    await policies.write(store, note, "Retain")
    assert (await policies.read(store, NAMESPACE, "power")).policy == "Retain"


async def test_a_dataset_that_comes_back_within_the_grace_has_its_versions(house: House) -> None:
    await gone(house, "Delete")
    await house.look()
    house.dataset()
    for _ in range(3):
        await house.look()
    assert len(house.versions()) == 3


async def test_of_a_deleted_dataset_stays_what_is_used(house: House) -> None:
    await gone(house, "Delete")
    first = min(house.versions())
    house.put("TrainingRun", "run", {}, status={"dataset": {"version": first}})
    for _ in range(4):
        await house.look()
    assert house.versions() == {first}
    assert layout.policy_key(NAMESPACE, "power") in house.memory.objects


async def test_what_is_not_readable_stops_all_and_is_said(house: House) -> None:
    house.dataset(retention={"versions": 1})
    _, _, third = await three(house)
    broken = layout.manifest_key(NAMESPACE, "power", third)
    good = house.memory.objects[broken]
    house.memory.objects[broken] = (b"nonsense", good[1])
    with pytest.raises(Retry, match="no content is deleted"):
        await house.look()
    assert "no content is deleted" in house.status([third]).retention.message
    assert house.memory.deleted == []
    house.memory.objects[broken] = good
    await house.look()
    assert house.status([third]).retention.message is None


async def test_a_store_that_is_away_is_asked_again(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    house.dataset(retention={"versions": 1})
    await three(house)

    async def away(*_: Any, **__: Any) -> Any:
        raise Unavailable("the store does not answer")

    with monkeypatch.context() as patch:
        patch.setattr(house.memory, "list", away)
        with pytest.raises(Retry):
            await house.look()
    await house.look(1)
    assert house.status([]).retention.condemned == 2


async def test_after_a_deletion_that_failed_ingests_wait(house: House) -> None:
    house.dataset(retention={"versions": 1})
    first, _, _ = await three(house)
    await house.look()
    house.memory.refused.add(layout.record_key(NAMESPACE, "power", first))
    with pytest.raises((Retry, Stalled)):
        await house.look()
    with pytest.raises(Retry):
        async with house.keeping.gate.ingest(NAMESPACE):
            pytest.fail("it began")
    house.memory.refused.clear()
    await house.look()
    assert first not in house.versions()


async def test_namespaces_are_found_in_the_store(house: House) -> None:
    await three(house)
    await house.memory.put("datasets/elsewhere/x/policy.json", b"{}")
    await house.memory.put("models/third/x/y", b"{}")
    found = [key async for key in house.keeping.namespaces()]
    assert found == [Key("Retention", "elsewhere", "versions"), KEY]


async def test_while_the_store_is_away_none_are_found(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def away(_: str) -> Any:
        raise StoreError("denied")

    monkeypatch.setattr(house.memory, "folders", away)
    with pytest.raises(Retry):
        _ = [key async for key in house.keeping.namespaces()]


def _with(value: Any, version: str) -> Any:
    if isinstance(value, dict):
        return {key: _with(one, version) for key, one in value.items()}
    if isinstance(value, list):
        return [_with(one, version) for one in value]
    return version if value == "$" else value
