"""A materialisation that is killed, overtaken, or robbed of what it wrote."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.contract.online_table import LATE, TABLE, OnlineTable, csv
from tests.contract.redis_server import RedisServer

from tidemill.store import online
from tidemill.store.online_client import OnlineClient
from tidemill_runner import filling
from tidemill_runner.exits import Exit
from tidemill_runner.failures import Failure
from tidemill_runner.materialise import Materialise

KEYS = "abcdefgh"


class Killed(BaseException):
    """The process is gone."""


@dataclass
class Wire:
    """The calls to the store, with what is to happen before one of them."""

    before: Callable[[int], None] = lambda _: None
    calls: int = 0
    names: list[str] = field(default_factory=list)


@pytest.fixture
def wire(monkeypatch: pytest.MonkeyPatch) -> Wire:
    found, call = Wire(), OnlineClient.call
    monkeypatch.setattr(filling, "BATCH_NAMES", 2)

    async def counted(client: OnlineClient, *command: Any) -> Any:
        found.calls += 1
        found.names.append(str(command[0]))
        found.before(found.calls)
        return await call(client, *command)

    monkeypatch.setattr(OnlineClient, "call", counted)
    return found


@pytest.fixture
def table(redis: RedisServer, tmp_path: Path) -> OnlineTable:
    return OnlineTable(tmp_path, redis)


@dataclass(frozen=True)
class Versions:
    """Three versions with what is to be there of each, by a row's value."""

    made: list[dict[str, Any]]
    values: list[dict[str, int]]


VALUES = [
    {"a": 1, "b": 1, "c": 1, "d": 1, "e": 1},
    {"a": 2, "b": 1, "d": 2, "f": 2, "g": 2},
    {"a": 1, "b": 3, "f": 2, "h": 3, "c": 1},
]


@pytest.fixture
def versions(table: OnlineTable) -> Versions:
    made = [
        table.version(
            csv("site,ts,load", *((key, "2026-01-01T00:00:00Z", n) for key, n in rows.items()))
        )
        for rows in VALUES
    ]
    return Versions(made, VALUES)


def there(table: OnlineTable) -> dict[str, int]:
    return {key: values["load"] for key, values in table.rows().items()}


def dies(at: int) -> Callable[[int], None]:
    def before(call: int) -> None:
        if call == at:
            raise Killed

    return before


def killed(wire: Wire, job: Materialise, at: int) -> bool:
    """Whether the job was killed before its call of this number, or had ended by then."""
    wire.calls, wire.before = 0, dies(at)
    try:
        job.run()
    except Killed:
        return True
    finally:
        wire.before = lambda _: None
    return False


def assert_whole_or_marked(table: OnlineTable, versions: Versions) -> None:
    """What meta says is true of the rows."""
    whole, writing = table.meta.whole, table.meta.writing
    by_digest = {one["version"]: rows for one, rows in zip(versions.made, VALUES, strict=True)}
    if whole is None:
        return
    rows, expected = there(table), by_digest[whole.state.version]
    if writing is None:
        assert rows == expected
        return
    new = by_digest[writing.version]
    for key in KEYS:
        assert rows.get(key) in (expected.get(key), new.get(key))


@pytest.mark.parametrize("filled", [False, True], ids=["full", "incremental"])
@pytest.mark.parametrize("then", [1, 2], ids=["same", "other"])
def test_killed_before_any_call(
    table: OnlineTable, versions: Versions, wire: Wire, filled: bool, then: int
) -> None:
    at, died = 0, True
    while died:
        at += 1
        table.server.client().flushall()
        if filled:
            table.fill(versions.made[0])
        died = killed(wire, table.job(versions.made[1]), at)
        if died and at > 2:
            assert_whole_or_marked(table, versions)
        result = table.fill(versions.made[then])
        assert there(table) == VALUES[then], (at, wire.names)
        assert table.meta.writing is None
        assert result["rows"] == len(VALUES[then])
        assert table.fill(versions.made[then])["written"] == 0
    assert at > 5


@settings(
    max_examples=40,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(
    st.lists(
        st.tuples(
            st.integers(0, 2),  # which version
            st.one_of(st.none(), st.integers(1, 12)),  # killed before which call
            st.booleans(),  # as another pod of the Job before
            st.sampled_from([None, None, None, "meta", "all"]),  # what the store loses first
        ),
        min_size=1,
        max_size=6,
    ),
    st.integers(0, 2),
)
def test_whatever_came_before_the_next_one_ends_right(
    table: OnlineTable,
    versions: Versions,
    wire: Wire,
    history: list[tuple[int, int | None, bool, str | None]],
    last: int,
) -> None:
    client = table.server.client()
    client.flushall()
    for which, at, again, lost in history:
        if lost:
            client.flushall() if lost == "all" else client.delete(TABLE.meta)
        job = table.job(versions.made[which])
        if again and table.sequence > 1:
            table.sequence -= 1
            job = table.job(versions.made[which], sequence=table.sequence)
        killed(wire, job, at or 10_000)
    table.fill(versions.made[last])
    assert there(table) == VALUES[last]
    assert table.meta.whole is not None
    assert table.meta.whole.state == online.State(versions.made[last]["version"], LATE)


def test_killed_twice_at_different_versions(
    table: OnlineTable, versions: Versions, wire: Wire
) -> None:
    """What the second leaves is neither the first one's nor what was there before."""
    at, died = 3, True
    while died:
        at += 1
        table.server.client().flushall()
        table.fill(versions.made[0])
        assert killed(wire, table.job(versions.made[1]), 5)
        died = killed(wire, table.job(versions.made[2]), at)
        table.fill(versions.made[1])
        assert there(table) == VALUES[1], at
    assert at > 8


def in_between(wire: Wire, at: int, act: Callable[[], object]) -> None:
    """Before a call of this number, let somebody else act."""

    def before(call: int) -> None:
        if call == at:
            wire.before = lambda _: None
            with ThreadPoolExecutor(1) as other:  # a loop of its own
                other.submit(act).result()

    wire.calls, wire.before = 0, before


def test_a_slow_job_of_an_older_version_does_no_harm(
    table: OnlineTable, versions: Versions, wire: Wire
) -> None:
    for at in range(1, 14):
        table.server.client().flushall()
        table.fill(versions.made[0])
        slow = table.job(versions.made[1])
        newer = table.job(versions.made[2])

        in_between(wire, at, newer.run)
        result = slow.run()
        if wire.calls < at:
            assert at > 5
            return  # it had ended by then
        if at > 1:
            assert result["overtaken"]
        assert there(table) == VALUES[2]
        assert table.meta.whole is not None
        assert table.meta.whole.state.version == versions.made[2]["version"]
    raise AssertionError("it never ended")


def test_a_store_that_is_emptied_in_between_is_not_taken_for_whole(
    table: OnlineTable, versions: Versions, wire: Wire
) -> None:
    emptied = 0
    for at in range(3, 14):
        table.server.client().flushall()
        table.fill(versions.made[0])

        def lose(call: int, at: int = at) -> None:
            if call == at:
                table.server.client().flushall()

        job = table.job(versions.made[1])
        wire.calls, wire.before = 0, lose
        with suppress(Failure):
            job.run()
        if wire.calls >= at:
            emptied += 1
            assert table.server.client().get(TABLE.meta) is None
        wire.before = lambda _: None
        table.fill(versions.made[1])
        assert there(table) == VALUES[1]
    assert emptied > 2


def test_an_older_job_that_ends_while_a_newer_one_begins_is_built_upon(
    table: OnlineTable, versions: Versions, wire: Wire
) -> None:
    for at in (1, 2, 3):
        table.server.client().flushall()
        table.fill(versions.made[0])
        older, newer = table.job(versions.made[1]), table.job(versions.made[2])
        in_between(wire, at, older.run)
        newer.run()
        assert there(table) == VALUES[2]


def test_an_older_job_that_finds_an_emptied_store_is_not_written_over(
    table: OnlineTable, versions: Versions, wire: Wire
) -> None:
    for at in range(4, 8):
        table.server.client().flushall()
        table.fill(versions.made[0])
        older, newer = table.job(versions.made[1]), table.job(versions.made[2])

        def lose(older: Materialise = older) -> None:
            table.server.client().flushall()
            older.run()

        in_between(wire, at, lose)
        with pytest.raises(Failure, match="was emptied"):
            newer.run()
        assert there(table) == VALUES[1]
        assert table.meta.whole is not None
        assert table.meta.whole.state.version == versions.made[1]["version"]


def test_a_store_that_is_emptied_in_between_is_told(
    table: OnlineTable, versions: Versions, wire: Wire
) -> None:
    client = table.server.client()
    wire.before = lambda call: client.flushall() if call == 4 else None
    with pytest.raises(Failure, match="was emptied while it was written to") as caught:
        table.job(versions.made[1]).run()
    assert caught.value.reason == "OnlineStoreUnavailable"
    assert caught.value.exit_code is Exit.INFRASTRUCTURE
