"""What the halves of an ingest hand to each other is whole when it is read again."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from tidemill.store.manifest import Entry
from tidemill_runner import handover
from tidemill_runner.collect import Collected, File
from tidemill_runner.files.dialect import Dialect
from tidemill_runner.handover import Handover
from tidemill_runner.schema import Column, ColumnType, Schema

COLLECTED = Collected(
    format="CSV",
    schema=Schema(
        (
            Column("ä", ColumnType.TIMESTAMP, nullable=False),
            Column("n", ColumnType.FLOAT, nullable=True, empty=True),
            Column("year", ColumnType.INTEGER, nullable=False),
        ),
        Dialect(";", None, ",", "UTF-16", header=False, comment="#"),
        ("year",),
    ),
    entries=(
        Entry("year=1/a.csv", "sha256:" + "0" * 64, 3, "etag"),
        Entry("year=2/b.csv", "sha256:" + "1" * 64, 4),
    ),
    rows=7,
    files=(File("year=1/a.csv", Path("objects/000000")),),
)


def test_it_is_read_as_it_was_written(tmp_path: Path) -> None:
    made = Handover.of(COLLECTED, [Path("elsewhere/00000.parquet"), Path("elsewhere/1.parquet")])
    read = handover.parse(made.to_bytes(), tmp_path)
    assert read.collected == replace(COLLECTED, files=())
    assert read.files == (tmp_path / "00000.parquet", tmp_path / "1.parquet")


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(b"", id="nothing"),
        pytest.param(b"[]", id="a list"),
        pytest.param(b'{"v":2}', id="a later version"),
        pytest.param(b'{"v":1,"format":"CSV"}', id="cut"),
    ],
)
def test_what_is_no_handover_is_refused(data: bytes, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"handover|Expecting"):
        handover.parse(data, tmp_path)


def test_a_field_that_nobody_knows_is_refused(tmp_path: Path) -> None:
    document = json.loads(Handover.of(COLLECTED, []).to_bytes())
    document["objects"][0]["x"] = 1
    with pytest.raises(ValueError, match="not a handover"):
        handover.parse(json.dumps(document).encode(), tmp_path)
