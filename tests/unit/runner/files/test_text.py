"""Compressed files are known by their bytes, unpacked on the way, and bounded."""

import gzip
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pytest
from tests.unit.runner.files.rows import csv, one, refused
from tests.unit.runner.workshop import Workshop, classification, rows

from tidemill.store import digests
from tidemill_runner.files import text
from tidemill_runner.files.delivery import Delivery

CSV = b"a,b\n1,x\n2,y\n"
JSON = b'{"a": 1, "b": "x"}\n{"a": 2, "b": "y"}\n'
TWO = {"a": [1, 2], "b": ["x", "y"]}


def zstd(data: bytes) -> bytes:
    packed: bytes = pa.compress(data, codec="zstd", asbytes=True)
    return packed


Pack = Callable[[bytes], bytes]
each_packing = pytest.mark.parametrize("pack", [gzip.compress, zstd], ids=["gzip", "zstd"])


@each_packing
@pytest.mark.parametrize(
    ("data", "delivery"), [(CSV, csv()), (JSON, Delivery("JSONLines"))], ids=["CSV", "JSONLines"]
)
def test_a_compressed_file_is_read(
    tmp_path: Path, pack: Pack, data: bytes, delivery: Delivery
) -> None:
    assert one(tmp_path, pack(data), delivery)[1] == TWO


@each_packing
def test_members_follow_one_another(tmp_path: Path, pack: Pack) -> None:
    assert one(tmp_path, pack(CSV[:7]) + pack(CSV[7:]), csv())[1] == TWO


def test_compression_encoding_and_comments_together(tmp_path: Path) -> None:
    data = gzip.compress("# x\na;ü\n1,5;ä\n".encode("utf-16"))
    assert one(tmp_path, data, csv(decimal=",", comment="#"))[1] == {"a": [1.5], "ü": ["ä"]}


@pytest.mark.parametrize("rows_read", [10, 500_000])
def test_an_open_quote_is_found_in_a_compressed_file(tmp_path: Path, rows_read: int) -> None:
    data = gzip.compress(b"a,b\n" + b"1,x\n" * rows_read + b'1,"x\n1,y\n')
    assert "quote is not closed" in refused(tmp_path, data, csv()).message


def test_an_open_quote_is_found_across_blocks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tidemill_runner.files.csv_file.BLOCK", 64)
    for length in range(30, 60):
        data = gzip.compress(b"a,b\n" + b"1,x\n" * 20 + b'1,"' + b"y" * length + b"\n")
        assert "quote is not closed" in refused(tmp_path, data, csv()).message


@each_packing
@pytest.mark.parametrize("lost", [1, 5, 12])
def test_a_truncated_file_is_refused(tmp_path: Path, pack: Pack, lost: int) -> None:
    failure = refused(tmp_path, pack(CSV * 1000)[:-lost], csv(), key="raw/a.csv.gz")
    assert failure.reason == "MalformedFile"
    assert "truncated or damaged" in failure.message


def test_a_damaged_file_is_refused(tmp_path: Path) -> None:
    whole = gzip.compress(b"a,b\n" + b"".join(b"%d,x\n" % i for i in range(900_000)))
    middle = len(whole) // 2
    data = whole[:middle] + bytes(64) + whole[middle + 64 :]
    assert "cannot be unpacked as gzip" in refused(tmp_path, data, csv()).message


@each_packing
def test_a_bomb_is_refused_with_its_limit(
    tmp_path: Path, pack: Pack, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(text, "FREE", 1024 * 1024)
    failure = refused(tmp_path, pack(b"a\n" + b"1\n" * 8_000_000), csv(), key="raw/bomb.csv")
    assert failure.reason == "MalformedFile"
    assert f"{text.MAX_RATIO} times its size" in failure.message


def test_no_file_unpacks_beyond_the_absolute_limit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(text, "MAX_UNPACKED", 1024)
    failure = refused(tmp_path, gzip.compress(b"a\n" + b"1\n" * 1000), csv())
    assert "more than 1024 bytes" in failure.message


def test_what_packs_well_and_is_small_is_taken(tmp_path: Path) -> None:
    data = gzip.compress(b"a\n" + b"1\n" * 1_000_000)
    assert len(data) * text.MAX_RATIO < 2_000_000
    assert one(tmp_path, data, csv())[0] == {"a": ("Integer", False)}


def test_what_is_compressed_twice_is_refused(tmp_path: Path) -> None:
    assert "once" in refused(tmp_path, gzip.compress(gzip.compress(CSV)), csv()).message


def test_the_version_holds_the_bytes_that_were_delivered(workshop: Workshop) -> None:
    data = gzip.compress(rows().encode())
    workshop.deliver(data_csv=data)
    ingested = workshop.ingest()
    digest = digests.sha256_digest(data)
    assert workshop.store.objects[f"cas/ns/sha256/{digests.hex_of(digest)}"] == data
    assert workshop.train(ingested, classification())["rows"] == {"train": 42, "holdout": 18}
