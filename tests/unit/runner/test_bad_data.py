"""Data that cannot be versioned: each kind has its reason, names the object and the way out."""

import io
from collections.abc import Callable
from pathlib import Path
from typing import cast

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from tests.unit.runner.memory import MemoryStorage, etag
from tests.unit.runner.workshop import PREFIX, Workshop

from tidemill.store.objects import ObjectInfo
from tidemill_runner.exits import Exit
from tidemill_runner.failures import Failure
from tidemill_runner.files.delivery import Delivery
from tidemill_runner.inputs import S3Source
from tidemill_runner.sources.s3 import S3Origin
from tidemill_runner.storage import Storage


def refuse(workshop: Workshop, **files: bytes | str) -> Failure:
    workshop.deliver(**files)
    with pytest.raises(Failure) as caught:
        workshop.ingest()
    assert not workshop.store.written or all(k.startswith("cas/") for k in workshop.store.written)
    return caught.value


def parquet(**columns: list[object]) -> bytes:
    buffer = io.BytesIO()
    pq.write_table(pa.table(columns), buffer)
    return buffer.getvalue()


@pytest.mark.parametrize(
    ("content", "reason", "words"),
    [
        pytest.param(
            "a,b\n1,2\n3\n", "RaggedRows", ["row 3", "1 fields", "has 2"], id="row-too-short"
        ),
        pytest.param(
            "a,b\n1,2,9\n", "RaggedRows", ["row 2", "3 fields", "has 2"], id="row-too-long"
        ),
        pytest.param(
            "a,b\n" + "1,2\n" * 5000 + "1\n", "RaggedRows", ["row 5002"], id="last-row-too-short"
        ),
        pytest.param(
            'a,b\n1,"x\ny"\n3\n', "RaggedRows", ["row 3"], id="row-after-a-quoted-newline"
        ),
        pytest.param(
            "a,b\n1,ok\n2,ü\n".encode("latin-1"),
            "WrongEncoding",
            ["row 3", "'b'", "0xfc", "UTF-8"],
            id="latin-1-in-a-row",
        ),
        pytest.param(
            "a,ü\n1,2\n".encode("latin-1"), "WrongEncoding", ["header"], id="latin-1-in-the-header"
        ),
        pytest.param("a,b,a\n1,2,3\n", "DuplicateColumns", ["'a'", "rename"], id="duplicate-name"),
        pytest.param("a,b\n", "NoRows", ["header and no rows"], id="header-only"),
        pytest.param("", "NoRows", ["empty", "0 bytes"], id="empty"),
        pytest.param("\n\n", "NoRows", ["empty"], id="blank-lines-only"),
        pytest.param("a,\n1,2\n", "MalformedFile", ["column 2", "no name"], id="nameless-column"),
        pytest.param("1,2\n3,4\n", "MalformedFile", ["no header"], id="no-header"),
        pytest.param(b"\x1f\x8b\x08\x00rest", "MalformedFile", ["gzip"], id="gzip"),
        pytest.param(b"PK\x03\x04rest", "MalformedFile", ["zip"], id="zip"),
        pytest.param(b"a,b\n1,\x00\n", "MalformedFile", ["zero bytes"], id="binary"),
        pytest.param(parquet(a=[1]), "MalformedFile", ["Parquet", "format"], id="parquet-as-csv"),
    ],
)
def test_a_csv_file_is_refused(
    workshop: Workshop, content: bytes | str, reason: str, words: list[str]
) -> None:
    failure = refuse(workshop, bad_csv=content)
    assert (failure.reason, failure.exit_code) == (reason, Exit.DATA)
    for word in (f"{PREFIX}bad.csv", *words):
        assert word in failure.message


def test_a_row_longer_than_a_block_is_refused(
    workshop: Workshop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tidemill_runner.files.csv_file.BLOCK", 1024 * 1024)
    failure = refuse(workshop, bad_csv='a,b\n1,"' + "x" * 3_000_000)
    assert failure.reason == "MalformedFile"
    assert "quote is not closed" in failure.message


def truncated(data: bytes) -> bytes:
    return data[: len(data) // 2]


def damaged(data: bytes) -> bytes:
    return data[:20] + bytes(40) + data[60:]


@pytest.mark.parametrize(
    ("spoil", "reason"),
    [
        pytest.param(truncated, "MalformedFile", id="truncated"),
        pytest.param(damaged, "MalformedFile", id="damaged-in-the-middle"),
        pytest.param(lambda _: b"a,b\n1,2\n", "MalformedFile", id="csv-as-parquet"),
        pytest.param(lambda _: b"", "NoRows", id="empty"),
        pytest.param(lambda _: parquet(a=[]), "NoRows", id="no-rows"),
    ],
)
def test_a_parquet_file_is_refused(
    workshop: Workshop, spoil: Callable[[bytes], bytes], reason: str
) -> None:
    workshop.format = "Parquet"
    whole = parquet(a=list(range(10_000)), b=[f"text {i}" for i in range(10_000)])
    failure = refuse(workshop, bad_parquet=spoil(whole))
    assert failure.reason == reason
    assert PREFIX in failure.message


@pytest.mark.parametrize(
    ("second", "words"),
    [
        pytest.param("a,c\n1,2\n", ["'b'", "not in"], id="column-renamed"),
        pytest.param("a\n1\n", ["'b'", "not in"], id="column-missing"),
        pytest.param("a,b,c\n1,2,3\n", ["'c'", "not in"], id="column-more"),
        pytest.param("a,b\n1,word\n", ["'b'", "Integer", "String"], id="type-differs"),
        pytest.param("a,b\n1,2020-01-01\n", ["'b'", "Integer", "Date"], id="date-for-number"),
    ],
)
def test_files_that_differ_are_refused_by_column_and_files(
    workshop: Workshop, second: str, words: list[str]
) -> None:
    failure = refuse(workshop, one_csv="a,b\n1,2\n", two_csv=second)
    assert failure.reason == "SchemasDiffer"
    for word in (f"{PREFIX}one.csv", f"{PREFIX}two.csv", *words):
        assert word in failure.message


def test_parquet_files_that_differ_are_refused(workshop: Workshop) -> None:
    workshop.format = "Parquet"
    failure = refuse(workshop, one_pq=parquet(a=[1]), two_pq=parquet(a=["x"]))
    assert failure.reason == "SchemasDiffer"
    assert "column 'a' is Integer in raw/power/one.pq and String in raw/power/two.pq" in (
        failure.message
    )


def test_an_empty_prefix_is_refused(workshop: Workshop) -> None:
    failure = refuse(workshop)
    assert failure.reason == "PrefixEmpty"
    assert PREFIX in failure.message


def test_only_markers_are_an_empty_prefix(workshop: Workshop) -> None:
    workshop.source.objects |= {f"{PREFIX}_SUCCESS": b"", f"{PREFIX}sub/": b""}
    assert refuse(workshop).reason == "PrefixEmpty"


def test_a_source_other_than_the_one_listed_is_not_read(workshop: Workshop) -> None:
    workshop.deliver(a_csv="a\n1\n")
    with pytest.raises(Failure) as caught:
        workshop.ingest(fingerprint="sha256:of-an-earlier-listing")
    assert (caught.value.reason, caught.value.exit_code) == ("SourceChanged", Exit.INFRASTRUCTURE)


@pytest.mark.parametrize("change", ["replace", "remove", "replace-one-already-read", "add"])
def test_an_object_that_changes_during_the_ingest_is_not_versioned(
    workshop: Workshop, change: str
) -> None:
    workshop.deliver(a_csv="a\n1\n", b_csv="a\n2\n")

    def interfere(key: str) -> None:
        if not key.endswith("b.csv"):
            return
        if change == "replace":
            workshop.deliver(b_csv="a\n3\n")
        elif change == "remove":
            del workshop.source.objects[key]
        elif change == "replace-one-already-read":
            workshop.deliver(a_csv="a\n3\n")
        else:
            workshop.deliver(c_csv="a\n3\n")

    workshop.source.before_download = interfere
    with pytest.raises(Failure) as caught:
        workshop.ingest()
    assert (caught.value.reason, caught.value.exit_code) == ("SourceChanged", Exit.INFRASTRUCTURE)
    assert not any("manifests" in key for key in workshop.store.objects)


def test_an_object_replaced_and_put_back_is_not_mistaken(tmp_path: Path) -> None:
    """Both listings are equal then; only the entity tag of what was read tells."""
    storage = MemoryStorage({"a.csv": b"a\n2\n"})
    listed = ObjectInfo("a.csv", 4, etag(b"a\n1\n"))
    wanted = S3Source("http://source.example", "r", "raw", "", Delivery("CSV"), path_style=True)
    origin = S3Origin(cast("Storage", storage), wanted, "sha256:any")
    with pytest.raises(Failure) as caught:
        origin.fetch(listed, tmp_path / "object", lambda _: None)
    assert caught.value.reason == "SourceChanged"
