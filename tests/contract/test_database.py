"""The rows of a query to PostgreSQL: what becomes of them, and that nothing but them counts."""

import datetime as dt
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from tests.contract.plant import Plant
from tests.contract.postgres_server import DATABASE, OWNER, PostgresServer
from tests.contract.s3_server import REPOSITORY
from tests.contract.workbench import Workbench

from tidemill.dataset.observed import Listing
from tidemill_runner.exits import Exit
from tidemill_runner.sources import sql

pytestmark = pytest.mark.only_minio("the database's rows are the same in every store")
ROWS = (
    "('2026-01-01 00:00+00', 'b', 1.5)",
    "('2026-01-01 01:00+00', NULL, '-0')",
    "('2026-01-01 01:00+00', NULL, 0.0)",
    "(NULL, 'ü', 'NaN')",
    "('2026-01-01 00:00+00', 'a', NULL)",
    "('2026-01-01 00:00+00', 'a', NULL)",
    "('2026-01-01 00:00+00', 'B', 'Infinity')",
)


@pytest.fixture
def plant(postgres: PostgresServer, workbench: Workbench) -> Plant:
    postgres.sql(f"SET ROLE {OWNER}", "TRUNCATE readings")
    return Plant.of(postgres, workbench)


def fill(plant: Plant, rows: tuple[str, ...] = ROWS) -> None:
    plant.server.sql(f"INSERT INTO readings VALUES {', '.join(rows)}")  # noqa: S608


async def seen(plant: Plant) -> Listing:
    found = await plant.ask()
    assert isinstance(found, Listing), found
    return found


def test_rows_become_a_version_with_their_types(plant: Plant) -> None:
    query = """
        SELECT true AS yes, 1::int2 AS small, 2 AS whole, 9007199254740993 AS large,
          1.5::float4 AS half, 2.5::float8 AS more, 12345678901234567890.25 AS number,
          'x'::text AS words, 'v'::varchar(9) AS vary, 'c'::char(3) AS fixed, 'n'::name AS name,
          '2026-02-03'::date AS day, '0044-03-15 BC'::date AS ides,
          '2026-02-03 04:05:06.123456'::timestamp AS local,
          '2026-02-03 04:05:06.123456+02'::timestamptz AS moment,
          '12345-01-01 00:00+00'::timestamptz AS far,
          '6F9619FF-8B86-D011-B42D-00C04FC964FF'::uuid AS id, '{"a": [1]}'::json AS doc,
          '{"b":1,"a":2}'::jsonb AS docb, NULL::int AS gap -- the end;
    """
    outcome = plant.having(query=query).ingest()
    assert outcome.exit is Exit.OK, outcome.message
    table = plant.table(outcome)
    row = {name: column[0] for name, column in zip(table.column_names, table.columns, strict=True)}
    plain = {k: v.as_py() for k, v in row.items() if k not in {"ides", "far"}}
    assert plain == {
        "yes": True,
        "small": 1,
        "whole": 2,
        "large": 9007199254740993,
        "half": 1.5,
        "more": 2.5,
        "number": 12345678901234567890.25,
        "words": "x",
        "vary": "v",
        "fixed": "c",
        "name": "n",
        "day": dt.date(2026, 2, 3),
        "local": dt.datetime(2026, 2, 3, 4, 5, 6, 123456),  # noqa: DTZ001
        "moment": dt.datetime(2026, 2, 3, 2, 5, 6, 123456, dt.UTC),
        "id": "6f9619ff-8b86-d011-b42d-00c04fc964ff",
        "doc": '{"a": [1]}',
        "docb": '{"a": 2, "b": 1}',
        "gap": None,
    }
    assert row["ides"].cast(pa.int32()).as_py() == -735_160
    assert row["far"].cast(pa.int64()).as_py() == 327_403_382_400_000_000
    types = {one["name"]: one["type"] for one in outcome.result["columns"]}
    assert (types["number"], types["moment"], types["doc"]) == ("Float", "Timestamp", "String")


def test_the_order_of_the_server_does_not_count(plant: Plant) -> None:
    fill(plant)
    first = plant.ingest()
    assert first.exit is Exit.OK, first.message
    assert first.result["rows"] == len(ROWS)
    plant.server.sql("TRUNCATE readings")
    fill(plant, ROWS[::-1])
    again = plant.ingest()
    assert again.result["version"] == first.result["version"]
    assert plant.table(first)["ts"][0].as_py() is None

    plant.server.sql("DELETE FROM readings WHERE ctid = (SELECT min(ctid) FROM readings)")
    assert plant.ingest().result["version"] != first.result["version"]


async def test_the_watermark_notices(plant: Plant) -> None:
    fill(plant)
    marked = plant.having(watermark="ts")
    before = await seen(marked)
    assert (before.weak, before.snapshot, before.settled) == (False, True, False)
    assert await seen(marked) == before
    fill(plant, ("('2020-01-01', 'old', 0)",))  # a late one: the count tells
    late = await seen(marked)
    assert late != before
    plant.server.sql("UPDATE readings SET ts = '2027-01-01' WHERE site = 'old'")
    assert await seen(marked) != late


async def test_without_a_watermark_only_columns_tell(plant: Plant) -> None:
    before = await seen(plant)
    assert before.weak
    fill(plant)
    assert await seen(plant) == before
    plant.server.sql("ALTER TABLE readings ADD COLUMN extra int")
    try:
        assert await seen(plant) != before
    finally:
        plant.server.sql("ALTER TABLE readings DROP COLUMN extra")


async def test_rows_are_read_in_one_snapshot(plant: Plant, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sql, "FIRST_ROWS", 1)
    monkeypatch.setattr(sql, "MOST_ROWS", 1)
    fill(plant)
    batch, batches = sql.sql_values.batch, []

    def meanwhile(*arguments: Any) -> pa.RecordBatch:
        batches.append(1)
        fill(plant)
        return batch(*arguments)

    monkeypatch.setattr(sql.sql_values, "batch", meanwhile)
    # In a thread of its own: the runner has no loop around it.
    from asyncio import to_thread

    outcome = await to_thread(plant.ingest)
    assert (len(batches), outcome.result["rows"]) == (len(ROWS), len(ROWS))


def read_alone(plant: Plant, query: str, path: Path) -> dict[str, Any]:
    place = {"port": plant.server.port, "database": DATABASE, "path": str(path)}
    asked = {**plant.secret, **place, "query": query}
    done = subprocess.run(
        [sys.executable, str(REPOSITORY / "tests/contract/read_alone.py")],
        env={**os.environ, "PYTHONPATH": "operator:images/runner"},
        cwd=REPOSITORY,
        input=json.dumps(asked),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    told: dict[str, Any] = json.loads(done.stdout)
    return told


def test_a_million_rows_take_the_memory_of_few(plant: Plant, tmp_path: Path) -> None:
    query = "SELECT n, md5(n::text) AS a, repeat(md5(n::text), 16) AS b "
    query += "FROM generate_series(1, {}) n"
    few = read_alone(plant, query.format(20_000), tmp_path / "few")
    many = read_alone(plant, query.format(1_000_000), tmp_path / "many")
    assert many["read"] > 500_000_000
    assert many["peak"] - few["peak"] < 250_000_000, (few, many)
    turned = read_alone(plant, query.format(1_000_000) + " ORDER BY a", tmp_path / "turned")
    assert turned["digest"] == many["digest"]
