"""When the Secret of a child is written: missing, edited, out of date; and at no other time."""

import base64
import copy
from collections.abc import Callable
from dataclasses import replace
from typing import Any, cast

import pytest
from tests.unit.children.world import NAMESPACE, World

from tidemill.children.ownership import child_metadata
from tidemill.children.status import Passing
from tidemill.children.store_secret import StoreSecrets, Wanted
from tidemill.engine.errors import Stalled
from tidemill.kube.resources import SECRETS
from tidemill.store.credentials import Policy
from tidemill.store.errors import Unavailable

PARENT = {"metadata": {"namespace": NAMESPACE, "name": "r", "uid": "u0"}}
LASTS = 3600


def wanted(**values: str) -> Wanted:
    metadata = child_metadata("TrainingRun", PARENT, "child")
    return Wanted(metadata, Policy("tidemill"), LASTS, values or {"input.json": "{}"})


async def kept(world: World, want: Wanted | None = None) -> float:
    return await StoreSecrets(world.context(), world.platform).keep(want or wanted())


def set_data(secret: dict[str, Any], key: str, text: str) -> None:
    secret["data"][key] = base64.b64encode(text.encode()).decode()


def drop(secret: dict[str, Any], *path: str) -> None:
    *parents, last = path
    for key in parents:
        secret = secret[key]
    del secret[last]


EDITS: dict[str, Callable[[dict[str, Any]], None]] = {
    "a key changed": lambda s: set_data(s, "access-key", "x"),
    "a key removed": lambda s: drop(s, "data", "secret-key"),
    "a key added": lambda s: set_data(s, "more", "x"),
    "all emptied": lambda s: drop(s, "data"),
    "the input changed": lambda s: set_data(s, "input.json", "{} "),
    "labels removed": lambda s: drop(s, "metadata", "labels"),
    "owner removed": lambda s: drop(s, "metadata", "ownerReferences"),
    "notes removed": lambda s: drop(s, "metadata", "annotations"),
}


async def test_it_is_written_once(world: World) -> None:
    assert await kept(world) == LASTS / 2
    world.wait(100)
    assert await kept(world) == LASTS / 2 - 100
    secrets = StoreSecrets(world.context(), world.platform)
    assert await secrets.begin(wanted()) == LASTS / 2 - 100
    assert world.api.writes == ["create Secret child"]


@pytest.mark.parametrize("edit", EDITS.values(), ids=EDITS)
async def test_what_was_edited_is_written_anew(
    world: World, edit: Callable[[dict[str, Any]], None]
) -> None:
    await kept(world)
    secret = world.api.one(SECRETS)
    before = copy.deepcopy(secret)
    edit(secret)
    await kept(world)
    after = world.api.one(SECRETS)
    assert {k: after["metadata"][k] for k in ("labels", "ownerReferences", "annotations")} != {}
    assert after["data"].keys() == before["data"].keys()
    assert after["data"]["access-key"] != before["data"]["access-key"]
    assert world.granted == 2
    await kept(world)
    assert world.granted == 2


@pytest.mark.parametrize("most", [None, 900], ids=["as asked", "less than asked"])
async def test_keys_are_replaced_at_half_of_what_was_granted(
    world: World, most: int | None
) -> None:
    world.most_seconds = most
    half = (most or LASTS) / 2
    await kept(world)
    world.wait(half - 1)
    assert await kept(world) == 1
    world.wait(1)
    assert await kept(world) == half
    assert world.granted == 2


async def test_the_old_keys_stay_while_there_are_no_new_ones(world: World) -> None:
    await kept(world)
    world.wait(LASTS)
    world.sts = Unavailable("away")
    with pytest.raises(Passing):
        await kept(world)
    assert world.api.all(SECRETS)


async def test_another_input_is_written(world: World) -> None:
    await kept(world)
    await kept(world, wanted(**{"input.json": "[]"}))
    data = world.api.one(SECRETS)["data"]
    assert base64.b64decode(data["input.json"]) == b"[]"
    assert world.granted == 2, "its keys may have to do something else"


async def test_another_input_needs_no_other_keys_where_they_are_to_stay(world: World) -> None:
    asked = replace(wanted(), keep_keys=True)
    await kept(world, asked)
    before = copy.deepcopy(world.api.one(SECRETS))
    world.wait(100)
    world.sts = Unavailable("away")
    asked = replace(asked, values={"input.json": "[]"})
    assert await kept(world, asked) == LASTS / 2 - 100
    after = copy.deepcopy(world.api.one(SECRETS))
    assert base64.b64decode(after["data"].pop("input.json")) == b"[]"
    del before["data"]["input.json"]
    assert after["data"] == before["data"], "its keys"
    notes, former = after["metadata"]["annotations"], before["metadata"]["annotations"]
    assert {k for k in notes if notes[k] != former[k]} == {"tidemill.dev/content"}
    world.sts = None
    assert await kept(world, asked) == LASTS / 2 - 100
    assert world.granted == 1
    world.wait(LASTS / 2)
    assert await kept(world, replace(asked, values={"input.json": "{}"})) == LASTS / 2
    assert world.granted == 2, "but keys that are half through are new"


async def test_keys_that_somebody_edited_are_not_kept(world: World) -> None:
    await kept(world, replace(wanted(), keep_keys=True))
    set_data(world.api.one(SECRETS), "access-key", "x")
    await kept(world, replace(wanted(), keep_keys=True, values={"input.json": "[]"}))
    assert world.granted == 2


async def test_what_is_somebody_elses_is_not_touched(world: World) -> None:
    metadata = {"namespace": NAMESPACE, "name": "child"}
    world.api.put({"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "data": {}})
    with pytest.raises(Stalled, match=r"Secret ns/child exists already .* remove or rename it"):
        await kept(world)
    assert world.api.writes == []


async def test_it_tells_no_key(world: World) -> None:
    await kept(world)
    metadata = world.api.one(SECRETS)["metadata"]
    assert "SHORT" not in str(metadata)
    assert "OPERATOR" not in str(cast("object", world.api.one(SECRETS)))
