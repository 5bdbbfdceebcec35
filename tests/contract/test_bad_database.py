"""A database that refuses, breaks off or gives what cannot be read: what is said of it."""

import asyncio
import socket
from typing import Any

import pytest
from tests.contract.deaf_server import deaf_server
from tests.contract.plant import Plant
from tests.contract.postgres_server import OWNER, PASSWORD, READER, PostgresServer
from tests.contract.workbench import Workbench

from tidemill.dataset import database_probe
from tidemill.dataset.observed import Listing, SourceProblem
from tidemill.store import postgres as client
from tidemill_runner.database import Limits, connect
from tidemill_runner.exits import Exit
from tidemill_runner.sources import sql

pytestmark = pytest.mark.only_minio("the database's faults are the same with every store")
PASSING = "SourceUnavailable"
HOSTILE = "x'\"; DROP TABLE readings; --"


@pytest.fixture
def plant(postgres: PostgresServer, workbench: Workbench) -> Plant:
    postgres.sql(
        f"SET ROLE {OWNER}",
        "TRUNCATE readings",
        "INSERT INTO readings VALUES ('2026-01-01', 'a', 1), ('2026-01-02', 'b', 2)",
    )
    return Plant.of(postgres, workbench)


async def problem(plant: Plant) -> SourceProblem:
    found = await plant.ask()
    assert isinstance(found, SourceProblem), found
    assert PASSWORD not in found.message
    assert READER not in found.message
    assert found.passing is (found.reason == PASSING)
    return found


async def refused(plant: Plant, reason: str, *words: str) -> None:
    """Operator and runner say the same of it."""
    found = await problem(plant)
    assert (str(found.reason), [w for w in words if w not in found.message]) == (reason, []), found
    outcome = await asyncio.to_thread(plant.ingest)
    assert (outcome.reason, outcome.message) == (reason, found.message)
    assert outcome.exit is (Exit.INFRASTRUCTURE if reason == PASSING else Exit.USER)


@pytest.mark.parametrize(
    "keys",
    [
        {"password": "not-the-password"},
        {"username": "nobody"},
        {"username": HOSTILE, "password": HOSTILE},
    ],
    ids=["password", "user", "hostile"],
)
async def test_a_wrong_login(plant: Plant, keys: dict[str, str]) -> None:
    changed = plant.knowing(**keys)
    await refused(changed, "AccessDenied", "Secret db-reader", "SQLSTATE 28P01")
    found = await problem(changed)
    assert not [value for value in keys.values() if value in found.message]


async def test_a_database_that_is_not_there(plant: Plant) -> None:
    await refused(plant.having(database="other"), "SourceMissing", "spec.source.sql.database")
    await refused(plant.having(database=HOSTILE), "SourceMissing", "spec.source.sql.database")


async def test_a_table_that_may_not_be_read(plant: Plant) -> None:
    found = plant.having(query="SELECT * FROM private", watermark="x")
    await refused(found, "AccessDenied", "permission denied for table private", "grant it")


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ("SELECT *\nFROM reading", ('"reading" does not exist', "line 2, column 6")),
        ("SELECT ts,\n  powr FROM readings", ('"powr" does not exist', "line 2, column 3")),
        ("SELECT FROM WHERE", ("syntax error", "line 1, column 13", "42601")),
        ("SELECT 1 AS a; SELECT 2 AS b", ("multiple commands",)),
        ("SELECT 1) AS x; DROP TABLE readings; --", ("syntax error",)),
        ("SELECT 1 AS a) AS x, (SELECT 2 AS b", ("syntax error",)),
        ("SELECT 1 AS a /*", ("unterminated",)),
        ("", ()),
        (";", ("no columns",)),
        ("DROP TABLE readings", ("no columns",)),
        ("INSERT INTO readings VALUES (now(), 'x', 1)", ("no columns",)),
        ("INSERT INTO readings VALUES (now(), 'x', 1) RETURNING site", ("may only read",)),
        ("WITH x AS (DELETE FROM readings RETURNING site) SELECT * FROM x", ("may only read",)),
        ("SET TRANSACTION READ WRITE", ("no columns",)),
        ("SHOW work_mem", ("may only read",)),
        ("SELECT 1 AS a; -- note", ("after a semicolon",)),
        ("EXPLAIN ANALYZE SELECT 1", ("may only read",)),
        ("COPY readings TO PROGRAM 'true'", ("no columns",)),
        ("DO $$BEGIN DELETE FROM readings; END$$", ("no columns",)),
        ("SELECT site FROM readings WHERE power > $1", ("parameters",)),
        ("SELECT ts, site AS ts FROM readings", ("two columns are named 'ts'",)),
        ('SELECT 1 AS "A", 2 AS a', ("columns 'A' and 'a' differ in case only",)),
        ("SELECT ts, power * 2 FROM readings", ("column 2 has no name",)),
        ("SELECT ARRAY[1] AS a", ("'a' is of type int4[]", '"a"::text')),
        ("SELECT 'x'::bytea AS a", ("bytea",)),
        ("SELECT ROW(1, 2) AS a", ("record",)),
        ("SELECT readings AS a FROM readings", ("public.readings",)),
        ("SELECT '1 day'::interval AS a", ("interval",)),
        ("SELECT '10.0.0.1'::inet AS a", ("inet",)),
    ],
)
async def test_a_query_that_cannot_be(plant: Plant, query: str, words: tuple[str, ...]) -> None:
    if query:
        await refused(plant.having(query=query), "QueryInvalid", "spec.source.sql.query", *words)
    assert plant.server.sql("SELECT count(*) FROM readings") == "2"


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ("SELECT 1 / (power - power)::int AS a FROM readings", ("division by zero", "22012")),
        ("SELECT site::int AS a FROM readings", ("22P02", "…")),
        ("SELECT current_user::text::int AS a", ("22P02", "…")),
        ("SELECT 1e400::numeric AS a", ("22003",)),
        ("SELECT site FROM readings FOR UPDATE", ("25006", "FOR UPDATE")),
        ("SELECT 'infinity'::timestamptz AS a", ("'a' holds infinity", "NULLIF(a, 'infinity')")),
        ("SELECT '-infinity'::date AS a", ("'a' holds infinity",)),
        ("SELECT '294276-12-31'::timestamp AS a", ("'a' holds a time too far away",)),
        (
            "SELECT set_config('transaction_read_only', 'off', false) AS a FROM readings",
            ("25001",),
        ),
    ],
)
def test_a_query_that_fails_as_it_runs(plant: Plant, query: str, words: tuple[str, ...]) -> None:
    outcome = plant.having(query=query).ingest()
    assert (outcome.exit, outcome.reason) == (Exit.USER, "QueryInvalid"), outcome.message
    assert [word for word in ("spec.source.sql.query", *words) if word not in outcome.message] == []


@pytest.mark.parametrize(
    "query",
    [f"SELECT '{PASSWORD}'::int AS a", f'SELECT "{PASSWORD}"', f'SELECT "{READER}" AS a'],
    ids=["value", "name", "user"],
)
async def test_a_server_that_echoes_what_opens_it(plant: Plant, query: str) -> None:
    found = await problem(plant.having(query=query))
    assert "…" in found.message
    logged = await asyncio.to_thread(plant.having(query=query).ingest)
    assert PASSWORD not in str(logged.termination)
    assert READER not in str(logged.termination)


@pytest.mark.parametrize(
    ("watermark", "reason", "words"),
    [
        ("when", "SpecInvalid", ("spec.source.sql.watermark", "ts, site, power")),
        (HOSTILE, "SpecInvalid", ("spec.source.sql.watermark",)),
        ("doc", "SpecInvalid", ("'doc' has no greatest value", "name one of ts, site, power")),
    ],
)
async def test_a_watermark_that_is_none(
    plant: Plant, watermark: str, reason: str, words: tuple[str, ...]
) -> None:
    query = "SELECT ts, site, power, '{}'::json AS doc FROM readings"
    found = await problem(plant.having(watermark=watermark, query=query))
    assert (found.reason, [w for w in words if w not in found.message]) == (reason, []), found


async def test_a_column_with_a_hostile_name_is_a_column(plant: Plant) -> None:
    name = HOSTILE.replace('"', '""')
    hostile = plant.having(query=f'SELECT 1 AS "{name}", 2 AS site', watermark=HOSTILE)
    assert isinstance(await hostile.ask(), Listing)
    outcome = await asyncio.to_thread(hostile.ingest)
    assert [one["name"] for one in outcome.result["columns"]] == [HOSTILE, "site"]


async def test_a_certificate_that_proves_nothing(
    plant: Plant, monkeypatch: pytest.MonkeyPatch
) -> None:
    await refused(plant.knowing(**{"ca.crt": ""}), PASSING, "not trusted", "ca.crt", "db-reader")
    await refused(plant.knowing(**{"ca.crt": "x"}), "AccessDenied", "ca.crt", "db-reader")
    resolve = socket.getaddrinfo

    def lead_here(host: str, *more: Any, **options: Any) -> Any:
        return resolve("127.0.0.1" if host == "db.example.org" else host, *more, **options)

    monkeypatch.setattr(socket, "getaddrinfo", lead_here)
    elsewhere = plant.having(host="db.example.org")
    await refused(elsewhere, PASSING, "not trusted", "db.example.org")
    assert isinstance(await elsewhere.having(tls="Require").ask(), Listing)
    assert isinstance(await plant.having(host="127.0.0.1").ask(), Listing)


async def test_only_where_tls_is_disabled_is_it_left_out(plant: Plant) -> None:
    pids = "SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()"
    for tls, expected in (("VerifyFull", True), ("Require", True), ("Disable", False)):
        outcome = await asyncio.to_thread(plant.having(query=pids, tls=tls).ingest)
        table = await asyncio.to_thread(plant.table, outcome)
        assert table["ssl"].to_pylist() == [expected]


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (b"N", ("does not offer TLS", "spec.source.sql.tls")),
        (b"HTTP/1.1 400 Bad Request\r\n\r\n", ()),
        (b"", ()),
        (None, ()),
    ],
    ids=["no TLS", "no database", "closed", "silent"],
)
async def test_who_is_no_database(
    plant: Plant, answer: bytes | None, words: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(client, "CONNECT_SECONDS", 1.0)
    with deaf_server(answer) as port:
        await refused(plant.having(port=port), PASSING, f"localhost:{port}", *words)


async def test_a_host_without_an_address(plant: Plant) -> None:
    await refused(plant.having(host="no-such-host.invalid"), PASSING, "name of the host")


async def test_the_machine_itself_is_shut(plant: Plant) -> None:
    from dataclasses import replace

    await refused(
        replace(plant, networks=()), "AddressForbidden", "localhost", "TIDEMILL_HTTP_ALLOWED"
    )


async def test_a_name_is_resolved_once(plant: Plant, monkeypatch: pytest.MonkeyPatch) -> None:
    resolve, asked = socket.getaddrinfo, []

    def rebind(host: str, *more: Any, **options: Any) -> Any:
        asked.append(host)
        return resolve("127.0.0.1" if len(asked) == 1 else "127.0.0.9", *more, **options)

    monkeypatch.setattr(socket, "getaddrinfo", rebind)
    found = await plant.having(host="rebind.example.org", tls="Require").ask()
    assert isinstance(found, Listing), found
    assert [host for host in asked if host == "rebind.example.org"] == ["rebind.example.org"]


async def test_a_query_that_takes_too_long(plant: Plant, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(database_probe, "STATEMENT_SECONDS", 1)
    monkeypatch.setattr(sql, "STATEMENT_SECONDS", 1)
    slow = plant.having(query="SELECT ts, pg_sleep(30)::text AS a FROM readings", watermark="a")
    await refused(slow, "QueryInvalid", "57014", "cheaper")


def test_what_a_function_writes_is_taken_back(plant: Plant) -> None:
    """Servers before 16 let large objects be made in a transaction that only reads."""
    plant.having(query="SELECT lo_create(0)::int8 AS a").ingest()
    assert plant.server.sql("SELECT count(*) FROM pg_largeobject_metadata") == "0"


def test_more_than_is_wanted(plant: Plant) -> None:
    outcome = plant.having(query="SELECT n FROM generate_series(1, 2000) n").ingest(max_bytes=4096)
    assert (outcome.exit, outcome.reason) == (Exit.USER, "SpecInvalid")
    assert "4096 bytes of spec.source.sql.maxSize" in outcome.message


def test_rows_that_memory_cannot_sort(plant: Plant, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sql, "connect", lambda *given: connect(*given[:2], Limits(1 << 20, 1)))
    outcome = plant.having(query="SELECT n FROM generate_series(1, 200000) n").ingest()
    assert (outcome.exit, outcome.reason) == (Exit.USER, "QueryInvalid")
    assert "spec.template.resources.limits.memory" in outcome.message


def test_no_rows(plant: Plant) -> None:
    outcome = plant.having(query="SELECT * FROM readings WHERE false").ingest()
    assert (outcome.exit, outcome.reason) == (Exit.DATA, "NoRows")
    assert "database plant" in outcome.message


def test_a_secret_without_a_password(plant: Plant) -> None:
    outcome = plant.knowing(password="").ingest()
    assert (outcome.exit, outcome.reason) == (Exit.USER, "AccessDenied")
    assert "lacks the key password" in outcome.message


@pytest.mark.parametrize("how", ["ended by the administrator", "server gone"])
def test_a_database_that_breaks_off(
    workbench: Workbench,
    how: str,
    monkeypatch: pytest.MonkeyPatch,
    request: pytest.FixtureRequest,
) -> None:
    server = request.getfixturevalue("own_postgres" if how == "server gone" else "postgres")
    plant = Plant.of(server, workbench).having(query="SELECT n FROM generate_series(1, 300000) n")
    batch, batches = sql.sql_values.batch, []

    def cut(*arguments: Any) -> Any:
        batches.append(1)
        if len(batches) == 3 and how == "server gone":
            server.stop()
        elif len(batches) == 3:
            server.sql(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename ~ 'reader'"
            )
        return batch(*arguments)

    monkeypatch.setattr(sql.sql_values, "batch", cut)
    outcome = plant.ingest()
    assert (outcome.exit, outcome.reason) == (Exit.INFRASTRUCTURE, PASSING), outcome.message
    assert "tried again" in outcome.message
    if how == "server gone":
        server.start()
    monkeypatch.undo()
    assert plant.ingest().result["rows"] == 300_000
