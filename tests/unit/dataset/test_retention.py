"""Which versions may go: tables of what lies there, what is asked, who uses what."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tidemill.dataset.retention import Limits, beyond, sentence, unneeded, uses
from tidemill.store import digests
from tidemill.store.stored import Name, Shelf, Stored, made_from

NOW = datetime(2026, 11, 1, tzinfo=UTC)
HOUR = timedelta(hours=1)
DAY = timedelta(days=1)


def digest(text: str) -> str:
    return digests.sha256_digest(text.encode())


def kept(text: str, days: float, shelf: Shelf = Shelf.ACCEPTED, **more: Any) -> Stored:
    """A version called by a word, so many days old."""
    dataset = more.get("dataset", "power")
    named = frozenset(digest(word) for word in more.get("named", ()))
    written = NOW - days * DAY
    return Stored(Name(dataset, digest(text)), written, frozenset(), shelf, 0, named)


THREE = (kept("new", 1), kept("middle", 10), kept("old", 100))


def words(names: frozenset[Name], stored: tuple[Stored, ...]) -> set[str]:
    known = ("new", "middle", "old", "bad", "worse", "raw")
    assert names <= {one.name for one in stored}
    return {word for word in known if digest(word) in {name.version for name in names}}


@pytest.mark.parametrize(
    ("limits", "gone"),
    [
        pytest.param(Limits(), set(), id="nothing-asked"),
        pytest.param(Limits(versions=3), set(), id="as-many-as-there-are"),
        pytest.param(Limits(versions=2), {"old"}, id="one-too-many"),
        pytest.param(Limits(versions=1), {"middle", "old"}, id="only-one"),
        pytest.param(Limits(age=50 * DAY), {"old"}, id="too-old"),
        pytest.param(Limits(age=10 * DAY), {"old"}, id="just-as-old-as-allowed"),
        pytest.param(Limits(versions=1, age=50 * DAY), {"old"}, id="beyond-both"),
        pytest.param(Limits(versions=3, age=HOUR), set(), id="old-but-few"),
    ],
)
def test_limits(limits: Limits, gone: set[str]) -> None:
    assert words(beyond(THREE, {"power": limits}, NOW), THREE) == gone


def test_bad_deliveries_push_no_good_version_out() -> None:
    stored = (*THREE[:1], *(kept(word, 0.1, Shelf.REJECTED) for word in ("bad", "worse")))
    assert len(beyond(stored, {"power": Limits(versions=1)}, NOW)) == 1
    assert THREE[0].name not in beyond(stored, {"power": Limits(versions=1)}, NOW)


def test_a_dataset_that_asks_for_nothing_loses_nothing() -> None:
    theirs = (kept("old", 900, dataset="other"), kept("new", 800, dataset="other"))
    found = beyond((*THREE, *theirs), {"power": Limits(versions=1)}, NOW)
    assert {name.dataset for name in found} == {"power"}


def run(**fields: Any) -> dict[str, Any]:
    return {"metadata": {"annotations": fields.pop("notes", {})}, **fields}


@pytest.mark.parametrize(
    ("one", "used"),
    [
        pytest.param(run(spec={"dataset": {"version": digest("old")}}), True, id="asked-for"),
        pytest.param(run(status={"applied": {"v": digest("old")}}), True, id="pinned"),
        pytest.param(run(notes={"tidemill.dev/pins": f'"{digest("old")}"'}), True, id="a-job"),
        pytest.param(
            run(spec={"template": {"metadata": {"annotations": {"x": digest("old")}}}}),
            True,
            id="a-jobs-pods",
        ),
        pytest.param(run(status={"version": digest("old")}), True, id="in-use"),
        pytest.param(run(status={"rejected": {"version": digest("old")}}), True, id="shown"),
        pytest.param(run(status={"versions": [{"version": digest("old")}]}), False, id="listed"),
        pytest.param(
            run(notes={"kubectl.kubernetes.io/last-applied-configuration": digest("old")}),
            False,
            id="what-kubectl-left",
        ),
        pytest.param(run(spec={"dataset": {"version": "latest"}}), False, id="latest"),
    ],
)
def test_a_version_is_used_wherever_it_is_named(one: dict[str, Any], used: bool) -> None:
    assert (digest("old") in uses([one, run(spec={})])) is used


@pytest.mark.parametrize(
    ("used", "gone"),
    [
        pytest.param((), {"middle", "old", "raw"}, id="nobody"),
        pytest.param(("old",), {"middle"}, id="with-its-raw-rows"),
        pytest.param(("middle",), {"old", "raw"}, id="another"),
        pytest.param(("unknown",), {"middle", "old", "raw"}, id="none-of-these"),
    ],
)
def test_what_is_used_stays_with_what_it_was_made_from(
    used: tuple[str, ...], gone: set[str]
) -> None:
    stored = (*THREE[:2], kept("old", 100, named=["raw"]), kept("raw", 100, Shelf.PARTIAL))
    going = frozenset(one.name for one in stored[1:])
    found = unneeded(stored, going, frozenset(digest(word) for word in used))
    assert words(found, stored) == gone


def test_what_stays_keeps_the_chain_that_it_was_made_from() -> None:
    top = kept("new", 1, dataset="down", named=["middle"])
    chain = (top, kept("middle", 50, named=["old"]), kept("old", 100, dataset="up"))
    going = frozenset(one.name for one in chain[1:])
    assert unneeded(chain, going, frozenset()) == frozenset()


def test_equal_content_in_two_datasets_is_kept_in_both_while_one_is_used() -> None:
    twins = (kept("old", 50), kept("old", 50, dataset="other"))
    going = frozenset(one.name for one in twins)
    assert unneeded(twins, going, frozenset({digest("old")})) == frozenset()


def test_a_circle_ends() -> None:
    circle = (kept("new", 1, named=["old"]), kept("old", 2, named=["new"]))
    going = frozenset(one.name for one in circle)
    assert unneeded(circle, going, frozenset()) == going
    assert unneeded(circle, going, frozenset({digest("new")})) == frozenset()


@pytest.mark.parametrize(
    ("since", "goes", "condemned"),
    [
        pytest.param(None, False, NOW, id="first-seen"),
        pytest.param(NOW - HOUR / 2, False, NOW - HOUR / 2, id="waits"),
        pytest.param(NOW - HOUR, True, NOW - HOUR, id="due"),
        pytest.param(NOW - 200 * DAY, False, NOW, id="written-again-since"),
        pytest.param(NOW + DAY, False, NOW, id="a-clock-that-was-wrong"),
    ],
)
def test_grace(since: datetime | None, goes: bool, condemned: datetime) -> None:
    old = THREE[2]
    before = {old.name: since} if since else {}
    found = sentence(THREE, frozenset({old.name}), before, NOW, HOUR)
    assert found.go == ((old,) if goes else ())
    assert found.condemned == {old.name: condemned}


def test_what_may_stay_after_all_is_condemned_no_more() -> None:
    before = {THREE[2].name: NOW - DAY}
    assert sentence(THREE, frozenset(), before, NOW, HOUR).condemned == {}


def test_a_record_names_what_its_version_was_made_from() -> None:
    raw = f"datasets/team/power/manifests/{digests.hex_of(digest('raw'))}.jsonl"
    record = {
        "version": digest("new"),
        "fingerprint": f"{digest('middle')}+0123456789abcdef",
        "inputs": [{"version": digest("old")}, "odd", {}],
        "from": raw,
    }
    assert made_from(record) == {digest(word) for word in ("middle", "old", "raw")}
    assert made_from({"fingerprint": "abc", "inputs": 7, "from": "../x"}) == frozenset()
