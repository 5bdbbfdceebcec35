"""Rows of a PostgreSQL server on the node, as pods reach it: noticed, read, refused, healed."""

from collections.abc import Iterator
from typing import Any

import pytest
from tests.apiserver.kubectl import Kubectl
from tests.contract.postgres_server import (
    DATABASE,
    OWNER,
    PASSWORD,
    READER,
    PostgresServer,
    postgres_server,
)
from tests.e2e.node_address import node_address
from tests.e2e.refusals import assert_refused
from tests.e2e.world import World, settled

SECRET = "db-reader"


@pytest.fixture(scope="module")
def database(kubectl: Kubectl) -> Iterator[PostgresServer]:
    """One with 60 rows; its certificate is for the node's address."""
    with postgres_server(node_address(kubectl)) as server:
        server.sql(
            "INSERT INTO readings SELECT '2026-01-01'::timestamptz + n * interval '1 hour', "
            "'s' || n % 3, n FROM generate_series(1, 60) n"
        )
        yield server


def keys(server: PostgresServer, **changes: str) -> dict[str, str]:
    return {"username": READER, "password": PASSWORD, "ca.crt": server.authority, **changes}


def spec(server: PostgresServer, **changes: Any) -> dict[str, Any]:
    sql = {
        "engine": "PostgreSQL",
        "host": server.host,
        "port": server.port,
        "database": DATABASE,
        "query": "SELECT ts, site, power FROM readings",
        "watermark": "ts",
        "credentialsRef": {"name": SECRET},
        **changes,
    }
    return {"source": {"sql": sql}, "refresh": {"pollInterval": "2s", "settlePeriod": "1s"}}


def test_a_new_row_makes_a_new_version(world: World, database: PostgresServer) -> None:
    world.secret(SECRET, keys(database))
    world.apply("Dataset", "rows", spec(database))
    first = world.wait_ready("Dataset", "rows")["status"]
    assert first["rows"] == int(database.sql("SELECT count(*) FROM readings"))
    types = [(one["name"], one["type"]) for one in first["columns"]]
    assert types == [("ts", "Timestamp"), ("site", "String"), ("power", "Float")]

    database.sql("INSERT INTO readings VALUES ('2027-01-01', 's1', 0)")
    again = world.wait(
        "Dataset", "rows", lambda b: settled(b) and b["status"]["version"] != first["version"]
    )["status"]
    assert again["rows"] == first["rows"] + 1
    assert again["versions"][0]["why"] == "SourceChanged"


def test_a_wrong_password_is_refused_and_mended_in_the_secret(
    world: World, database: PostgresServer
) -> None:
    world.secret(SECRET, keys(database, password="not-the-password"))
    world.apply("Dataset", "shut", spec(database))
    tells = (f"Secret {SECRET}", DATABASE, "SQLSTATE 28P01")
    body = assert_refused(world, "Dataset", "shut", "AccessDenied", tells)
    assert "not-the-password" not in str(body["status"])
    world.secret(SECRET, keys(database))
    assert world.wait_ready("Dataset", "shut")["status"]["rows"] >= 60


def test_a_query_that_the_server_refuses_names_the_place(
    world: World, database: PostgresServer
) -> None:
    world.secret(SECRET, keys(database))
    world.apply("Dataset", "broken", spec(database, query="SELECT ts\nFROM reading"))
    tells = ("spec.source.sql.query", '"reading" does not exist', "line 2, column 6")
    assert_refused(world, "Dataset", "broken", "QueryInvalid", tells)
    world.apply("Dataset", "private", spec(database, query="SELECT x FROM private", watermark="x"))
    tells = ("permission denied for table private", "grant it")
    assert_refused(world, "Dataset", "private", "AccessDenied", tells)
    assert OWNER not in str(world.read("Dataset", "private")["status"])


def test_the_api_server_is_no_database(world: World) -> None:
    """Its address is private as a database's is, and shut all the same."""
    source = {
        "engine": "PostgreSQL",
        "host": "kubernetes.default.svc",
        "port": 443,
        "database": DATABASE,
        "query": "SELECT 1 AS a",
        "credentialsRef": {"name": SECRET},
    }
    world.secret(SECRET, {"username": READER, "password": PASSWORD})
    world.apply("Dataset", "inside", {"source": {"sql": source}})
    tells = ("spec.source.sql.host", "kubernetes.default.svc", "TIDEMILL_HTTP_ALLOWED_NETWORKS")
    assert_refused(world, "Dataset", "inside", "AddressForbidden", tells)
