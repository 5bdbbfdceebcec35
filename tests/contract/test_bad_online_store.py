"""An online store that refuses or is not there: what a materialisation says of it."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.contract.online_table import TABLE, OnlineTable, csv
from tests.contract.redis_server import PASSWORD, RedisServer, redis_server

from tidemill_runner.exits import Exit
from tidemill_runner.failures import Failure

DOCUMENTATION = Path(__file__).parents[2] / "docs" / "datasets.md"


@pytest.fixture
def table(redis: RedisServer, tmp_path: Path) -> OnlineTable:
    return OnlineTable(tmp_path, redis)


def there(table: OnlineTable) -> dict[str, int]:
    return {key: values["load"] for key, values in table.rows().items()}


def refusal(table: OnlineTable, **changes: Any) -> Failure:
    version = table.version(csv("site,ts,load", ("a", "2026-01-01T00:00:00Z", 1)))
    with pytest.raises(Failure) as caught:
        table.fill(version, **changes)
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
