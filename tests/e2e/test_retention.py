"""Versions beyond their retention go, with their content; what is used stays as long as it is.

The installed operator, which looks once an hour and leaves a day's grace, is held down: the test
runs one of its own that is quick.
"""

from collections.abc import Iterator
from typing import Any

import pytest
from tests.apiserver.kubectl import Kubectl
from tests.e2e.local_operator import Installation, installation, installed_operator_down
from tests.e2e.raw_store import RawStore
from tests.e2e.test_path import BUCKET
from tests.e2e.world import World, eventually, settled

pytestmark = pytest.mark.disruptive
QUICK = (
    "--resync-seconds=1",
    "--retention-interval-seconds=1",
    "--retention-grace-seconds=5",
)
WITHIN = 90.0


@pytest.fixture(scope="module")
def installed(kubectl: Kubectl) -> Iterator[Installation]:
    with installation(kubectl) as found, installed_operator_down(kubectl):
        yield found


def table(word: str, **more: Any) -> dict[str, Any]:
    """A Dataset of one line that no other has, and one that all have."""
    return {"source": {"inline": {"format": "CSV", "data": f"word\n{word}\n"}}, **more}


def version(world: World, name: str, word: str, **more: Any) -> str:
    """Deliver, and wait for the version."""
    before = (world.get("Dataset", name) or {}).get("status", {}).get("version")
    world.apply("Dataset", name, table(word, **more))
    body = world.wait(
        "Dataset", name, lambda b: settled(b) and b["status"].get("version") not in (None, before)
    )
    return str(body["status"]["version"])


def stored(world: World, raw: RawStore, name: str) -> set[str]:
    prefix = f"datasets/{world.namespace}/{name}/manifests/"
    keys = raw.keys(prefix, bucket=BUCKET)
    return {"sha256:" + key.removeprefix(prefix).removesuffix(".jsonl") for key in keys}


def content(world: World, raw: RawStore) -> int:
    return len(raw.keys(f"cas/{world.namespace}/", bucket=BUCKET))


def test_what_is_beyond_its_retention_goes_and_what_is_used_stays(
    world: World, raw: RawStore, installed: Installation
) -> None:
    with installed.operator(world, *QUICK) as operator:
        eventually(operator.ready)
        first = version(world, "words", "one")
        source = {"dataset": {"name": "words", "version": first}}
        reader = {"source": source, "deletionPolicy": "Delete"}
        world.apply("Dataset", "reader", reader)
        world.wait_ready("Dataset", "reader")
        second = version(world, "words", "two")
        third = version(world, "words", "three")
        assert stored(world, raw, "words") == {first, second, third}
        before = content(world, raw)

        world.apply("Dataset", "words", table("three", retention={"versions": 1}))
        shown = world.wait(
            "Dataset", "words", lambda b: b["status"].get("retention", {}).get("condemned") == 1
        )["status"]["retention"]
        assert shown["versions"] == 3
        assert shown["condemnedBytes"] > 0
        assert shown["nextRemovalTime"]
        eventually(lambda: stored(world, raw, "words") == {first, third}, WITHIN)
        eventually(lambda: content(world, raw) == before - 1, WITHIN)
        status = world.wait(
            "Dataset", "words", lambda b: b["status"]["retention"].get("removed") == 1
        )["status"]
        assert [one["version"] for one in status["versions"]] == [third, first]
        assert status["retention"]["versions"] == 2

        # Nothing that stays was made from the first any more.
        world.delete("Dataset", "reader")
        eventually(lambda: stored(world, raw, "words") == {third}, WITHIN)
        # What went comes again: it is read and kept anew.
        again = version(world, "words", "two", retention={"versions": 5})
        assert again == second
        assert stored(world, raw, "words") == {second, third}
        assert world.wait_ready("Dataset", "words")["status"]["rows"] == 1


def test_a_dataset_goes_with_its_versions_where_that_is_asked(
    world: World, raw: RawStore, installed: Installation
) -> None:
    with installed.operator(world, *QUICK) as operator:
        eventually(operator.ready)
        kept = version(world, "kept", "kept")
        before = content(world, raw)
        version(world, "passing", "passing", deletionPolicy="Delete")
        assert content(world, raw) > before
        for name in ("kept", "passing"):
            world.delete("Dataset", name)
        place = f"datasets/{world.namespace}/passing/"
        eventually(lambda: raw.keys(place, bucket=BUCKET) == [], WITHIN)
        eventually(lambda: content(world, raw) == before, WITHIN)
        assert stored(world, raw, "kept") == {kept}
