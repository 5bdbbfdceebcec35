"""Rows on their way to a verdict: typed, in one place, each with the place it came from."""

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tidemill_runner import staging
from tidemill_runner.database import Limits
from tidemill_runner.failures import Failure
from tidemill_runner.schema import Column, ColumnType, Schema
from tidemill_runner.staging import Staging, staged, viewed, whole_file

LIMITS = Limits(memory=128 * 1024 * 1024, threads=2)


def batch(*values: int) -> pa.RecordBatch:
    return pa.RecordBatch.from_pydict({"n": list(values)})


def test_every_row_tells_its_object_and_its_number(tmp_path: Path) -> None:
    with Staging(tmp_path) as rows:
        rows.add("a'b.csv", [batch(1, 2), batch(3)])
        rows.add("z.csv", [batch(4)])
    with viewed(staged(rows.files), tmp_path, LIMITS) as connection:
        found = connection.execute("SELECT n, __object, __row FROM rows ORDER BY n").fetchall()
    assert found == [(1, "a'b.csv", 1), (2, "a'b.csv", 2), (3, "a'b.csv", 3), (4, "z.csv", 1)]


def test_places_can_be_left_out(tmp_path: Path) -> None:
    with Staging(tmp_path) as rows:
        rows.add("a.csv", [batch(1)])
    with viewed(staged(rows.files, places=False), tmp_path, LIMITS) as connection:
        assert connection.execute("DESCRIBE rows").fetchall()[0][:2] == ("n", "BIGINT")
        assert len(connection.execute("DESCRIBE rows").fetchall()) == 1


def test_many_rows_go_into_several_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(staging, "FILE_ROWS", 3)
    with Staging(tmp_path) as rows:
        rows.add("a.csv", [batch(1, 2), batch(3, 4), batch(5)])
    assert len(rows.files) == 2
    with viewed(staged(rows.files), tmp_path, LIMITS) as connection:
        assert connection.execute("SELECT sum(n), max(__row) FROM rows").fetchall() == [(15, 5)]


def test_a_file_of_ones_own_has_places_too(tmp_path: Path) -> None:
    path = tmp_path / "prepared.parquet"
    pq.write_table(pa.table({"n": [7, 8]}), path)
    with viewed(whole_file(path, "prepared.parquet"), tmp_path, LIMITS) as connection:
        found = connection.execute("FROM rows").fetchall()
    assert found == [(7, "prepared.parquet", 1), (8, "prepared.parquet", 2)]


@pytest.mark.parametrize("name", ["__object", "__ROW"])
def test_the_names_of_places_are_reserved(name: str) -> None:
    schema = Schema((Column(name, ColumnType.INTEGER, nullable=False),))
    with pytest.raises(Failure, match="reserved"):
        staging.check_names(schema)


def test_names_that_differ_in_case_only_are_refused() -> None:
    columns = (Column(name, ColumnType.INTEGER, nullable=False) for name in ("Load", "load"))
    with pytest.raises(Failure, match="'Load' and 'load'") as refused:
        staging.check_names(Schema(tuple(columns)))
    assert refused.value.reason == "DuplicateColumns"
