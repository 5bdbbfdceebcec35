"""A materialisation that is killed, overtaken, or meets a store that refuses."""

import re
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.contract.online_table import LATE, TABLE, OnlineTable, csv
from tests.contract.redis_server import PASSWORD, RedisServer, redis_server

from tidemill.store import online
from tidemill.store.online_client import OnlineClient
from tidemill_runner import filling
from tidemill_runner.exits import Exit
from tidemill_runner.failures import Failure
from tidemill_runner.materialise import Materialise

KEYS = "abcdefgh"
DOCUMENTATION = Path(__file__).parents[2] / "docs" / "datasets.md"


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


def test_a_slow_job_of_an_older_version_does_no_harm(
    table: OnlineTable, versions: Versions, wire: Wire
) -> None:
    for at in range(1, 14):
        table.server.client().flushall()
        table.fill(versions.made[0])
        slow = table.job(versions.made[1])
        newer = table.job(versions.made[2])

        def overtake(call: int, at: int = at, newer: Materialise = newer) -> None:
            if call == at:
                wire.before = lambda _: None
                with ThreadPoolExecutor(1) as other:  # a loop of its own
                    other.submit(newer.run).result()

        wire.calls, wire.before = 0, overtake
        result = slow.run()
        if wire.before is overtake:
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


def test_a_store_that_is_emptied_in_between_is_told(
    table: OnlineTable, versions: Versions, wire: Wire
) -> None:
    client = table.server.client()
    wire.before = lambda call: client.flushall() if call == 4 else None
    failure = refused(table.job(versions.made[1]))
    assert told(failure) == ("OnlineStoreUnavailable", Exit.INFRASTRUCTURE)
    assert "was emptied while it was written to" in failure.message


def refusal(table: OnlineTable, **changes: Any) -> Failure:
    version = table.version(csv("site,ts,load", ("a", "2026-01-01T00:00:00Z", 1)))
    return refused(table.job(version, **changes))


def refused(job: Materialise) -> Failure:
    with pytest.raises(Failure) as caught:
        job.run()
    words = caught.value.message
    assert PASSWORD not in words
    assert "not-the-password" not in words
    return caught.value


def told(failure: Failure) -> tuple[str, Exit]:
    return failure.reason, failure.exit_code


@pytest.mark.parametrize(
    "login",
    [
        {"username": "features", "password": "not-the-password"},
        {"username": "nobody", "password": PASSWORD},
        {},
    ],
    ids=["password", "user", "none"],
)
def test_a_wrong_login(table: OnlineTable, login: dict[str, str]) -> None:
    table.login = login
    failure = refusal(table)
    assert told(failure) == ("AccessDenied", Exit.USER)
    assert "Secret online-login" in failure.message
    assert table.server.texts() == {}


def test_a_user_without_rights(table: OnlineTable) -> None:
    client = table.server.client()
    client.execute_command("ACL", "SETUSER", "reader", "on", ">x", "~tidemill:*", "+get")
    table.login = {"username": "reader", "password": "x"}
    failure = refusal(table)
    assert told(failure) == ("AccessDenied", Exit.USER)
    assert "NOPERM" in failure.message


def test_the_rights_that_the_documentation_names_are_enough(table: OnlineTable) -> None:
    rights = re.search(r"ACL SETUSER features on >… ([^`]+)`", DOCUMENTATION.read_text())
    assert rights
    command = ("ACL", "SETUSER", "few", "reset", "on", ">x", *rights[1].split())
    table.server.client().execute_command(*command)
    table.login = {"username": "few", "password": "x"}
    rows = ("a", "2026-01-01T00:00:00Z", 1), ("b", "2026-01-01T00:00:00Z", 2)
    for some in (rows, rows[1:]):
        table.fill(table.version(csv("site,ts,load", *some)), ttl=10**15)
    table.server.client().delete(TABLE.meta)
    table.fill(table.version(csv("site,ts,load", *rows[:1])), ttl=10**15)
    assert there(table) == {"a": 1}


def test_nobody_there(table: OnlineTable) -> None:
    table.place = {"port": 1}
    failure = refusal(table)
    assert told(failure) == ("OnlineStoreUnavailable", Exit.INFRASTRUCTURE)
    assert "localhost:1" in failure.message


def test_a_name_that_nobody_has(table: OnlineTable) -> None:
    table.place = {"host": "redis.invalid"}
    failure = refusal(table)
    assert told(failure) == ("OnlineStoreUnavailable", Exit.INFRASTRUCTURE)


def test_an_address_of_the_pod_itself(table: OnlineTable) -> None:
    table.place = {"allowedNetworks": []}
    failure = refusal(table)
    assert told(failure) == ("AddressForbidden", Exit.USER)
    assert "TIDEMILL_HTTP_ALLOWED_NETWORKS" in failure.message


def test_a_store_that_is_full(table: OnlineTable) -> None:
    client = table.server.client()
    client.config_set("maxmemory", 1)
    try:
        failure = refusal(table)
    finally:
        client.config_set("maxmemory", 0)
    assert told(failure) == ("OnlineStoreFull", Exit.USER)
    assert "spec.online.ttl" in failure.message


def test_a_replica_only_reads(table: OnlineTable) -> None:
    client = table.server.client()
    client.execute_command("REPLICAOF", "127.0.0.1", "1")
    try:
        failure = refusal(table)
    finally:
        client.execute_command("REPLICAOF", "NO", "ONE")
    assert told(failure) == ("OnlineStoreUnavailable", Exit.INFRASTRUCTURE)
    assert "primary" in failure.message


def test_a_name_that_is_something_else(table: OnlineTable) -> None:
    table.server.client().lpush(TABLE.meta, "x")
    failure = refusal(table)
    assert told(failure) == ("OnlineStoreUnavailable", Exit.INFRASTRUCTURE)
    assert "WRONGTYPE" in failure.message


@pytest.fixture(scope="module")
def encrypted() -> Iterator[RedisServer]:
    with redis_server(encrypted=True) as running:
        yield running


def test_an_encrypted_store(encrypted: RedisServer, tmp_path: Path) -> None:
    table = OnlineTable(tmp_path, encrypted, place={"tls": "VerifyFull"})
    table.login = {**table.login, "ca.crt": encrypted.authority}
    table.fill(table.version(csv("site,ts,load", ("a", "2026-01-01T00:00:00Z", 1))))
    assert there(table) == {"a": 1}
    for tls in ("Require", "VerifyFull"):
        table.place = {"tls": tls}
        table.fill(table.version(csv("site,ts,load", ("a", "2026-01-01T00:00:00Z", 2))))
    table.place = {"tls": "VerifyFull", "host": "127.0.0.1"}
    table.fill(table.version(csv("site,ts,load", ("a", "2026-01-01T00:00:00Z", 3))))
    assert there(table) == {"a": 3}


@pytest.mark.parametrize(
    ("tls", "authority", "words"),
    [
        ("VerifyFull", "", "certificate is not trusted"),
        ("VerifyFull", "no certificate", "no certificate in PEM"),
        ("Disable", "", "spec.online.tls"),
    ],
)
def test_a_store_that_is_not_proved(
    encrypted: RedisServer, tmp_path: Path, tls: str, authority: str, words: str
) -> None:
    table = OnlineTable(tmp_path, encrypted, place={"tls": tls})
    table.login = {**table.login, "ca.crt": authority}
    failure = refusal(table)
    reason = "OnlineStoreUnavailable" if tls == "Disable" else "AccessDenied"
    assert (failure.reason, words in failure.message) == (reason, True), failure.message


def test_a_column_that_the_version_has_not(table: OnlineTable) -> None:
    failure = refusal(table, entity={"key": ["sites"], "timestamp": "ts"})
    assert told(failure) == ("SpecInvalid", Exit.USER)
    assert "spec.entity.key" in failure.message
    assert "'site'" in failure.message
    failure = refusal(table, entity={"key": ["site"], "timestamp": "load"})
    assert (failure.reason, "spec.entity.timestamp" in failure.message) == ("SpecInvalid", True)
