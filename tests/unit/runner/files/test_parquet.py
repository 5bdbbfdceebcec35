"""Parquet as other programs write it."""

import io
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pyarrow.parquet.encryption as pe
import pytest
from tests.unit.runner.files.rows import columns, merged, one, read_back, refused

from tidemill_runner.failures import Failure
from tidemill_runner.files.delivery import Delivery

PARQUET = Delivery("Parquet")


def written(table: pa.Table, **options: Any) -> bytes:
    buffer = io.BytesIO()
    pq.write_table(table, buffer, **options)
    return buffer.getvalue()


def column(values: list[Any], kind: pa.DataType | None = None, **options: Any) -> bytes:
    return written(pa.table({"v": pa.array(values, kind)}), **options)


@pytest.mark.parametrize(
    ("data", "kind", "values"),
    [
        pytest.param(
            column([Decimal("1.25"), None], pa.decimal128(9, 2)),
            ("Float", True),
            [1.25, None],
            id="decimal",
        ),
        pytest.param(
            column(
                [datetime(2024, 1, 1, tzinfo=UTC), datetime(9999, 12, 31, tzinfo=UTC)],
                pa.timestamp("us"),
                use_deprecated_int96_timestamps=True,
            ),
            ("Timestamp", False),
            [datetime(2024, 1, 1, tzinfo=UTC), datetime(9999, 12, 31, tzinfo=UTC)],
            id="int96 beyond what nanoseconds count",
        ),
        pytest.param(
            column(
                [
                    datetime(2024, 10, 27, 0, 30, tzinfo=UTC),
                    datetime(2024, 10, 27, 1, 30, tzinfo=UTC),
                ],
                pa.timestamp("ms", tz="Europe/Berlin"),
            ),
            ("Timestamp", False),
            [datetime(2024, 10, 27, 0, 30, tzinfo=UTC), datetime(2024, 10, 27, 1, 30, tzinfo=UTC)],
            id="zone and the hour that comes twice",
        ),
        pytest.param(
            column([1.5, float("nan"), float("inf")]),
            ("Float", True),
            [1.5, None, float("inf")],
            id="NaN and infinity",
        ),
        pytest.param(column([None, None], pa.null()), ("Float", True), [None, None], id="nulls"),
    ],
)
def test_values_are_kept(
    tmp_path: Path, data: bytes, kind: tuple[str, bool], values: list[Any]
) -> None:
    assert one(tmp_path, data, PARQUET) == ({"v": kind}, {"v": values})


def test_nested_columns_are_other_and_not_normalised(tmp_path: Path) -> None:
    data = written(pa.table({"a": [1], "s": [{"x": 1}], "l": [[1]], "m": [b"x"]}))
    found, rows = one(tmp_path, data, PARQUET)
    assert found == {"a": ("Integer", False), **dict.fromkeys("slm", ("Other", False))}
    assert rows == {"a": [1]}


def test_rows_are_counted_where_no_column_is_normalised(tmp_path: Path) -> None:
    from tidemill_runner import tables

    schema = merged(tmp_path, {"data": column([[1], [2]])}, PARQUET)
    batches = tables.normalised(tmp_path / "0", "data", schema, "Parquet")
    assert [(batch.num_rows, batch.num_columns) for batch in batches] == [(2, 0)]


def test_a_file_without_row_groups_has_columns_and_no_rows(tmp_path: Path) -> None:
    buffer = io.BytesIO()
    pq.ParquetWriter(buffer, pa.schema([("v", pa.int64())])).close()
    assert pq.ParquetFile(io.BytesIO(buffer.getvalue())).num_row_groups == 0
    assert one(tmp_path, buffer.getvalue(), PARQUET) == ({"v": ("Integer", False)}, {"v": []})


class _Keys(pe.KmsClient):
    def __init__(self, _: object) -> None:
        super().__init__()

    def wrap_key(self, key_bytes: bytes, master_key_identifier: str) -> bytes:  # noqa: ARG002
        return key_bytes.hex().encode()

    def unwrap_key(self, wrapped_key: bytes, master_key_identifier: str) -> bytes:  # noqa: ARG002
        return bytes.fromhex(wrapped_key.decode())


def encrypted(*, plain_footer: bool) -> bytes:
    factory = pe.CryptoFactory(_Keys)
    settings = pe.EncryptionConfiguration(
        footer_key="f", column_keys={"c": ["v"]}, plaintext_footer=plain_footer
    )
    properties = factory.file_encryption_properties(pe.KmsConnectionConfig(), settings)
    return column([1, 2, 3], encryption_properties=properties)


@pytest.mark.parametrize("plain_footer", [False, True], ids=["whole", "columns"])
def test_an_encrypted_file_is_refused(tmp_path: Path, plain_footer: bool) -> None:
    failure = refused(tmp_path, encrypted(plain_footer=plain_footer), PARQUET, key="raw/a.parquet")
    assert failure.reason == "MalformedFile"
    assert "is encrypted: deliver it decrypted" in failure.message


@pytest.mark.parametrize("kept", [4, 100, -1, -20])
def test_a_truncated_file_is_refused(tmp_path: Path, kept: int) -> None:
    failure = refused(tmp_path, column(list(range(10_000)))[:kept], PARQUET)
    assert failure.reason == "MalformedFile"
    assert "truncated" in failure.message


def test_schemas_that_differ_are_refused(tmp_path: Path) -> None:
    files = {"one": column([1]), "two": column(["x"])}
    with pytest.raises(Failure) as caught:
        merged(tmp_path, files, PARQUET)
    assert caught.value.reason == "SchemasDiffer"
    assert "'v' is Integer in one and String in two" in caught.value.message


def test_schemas_that_can_be_widened_are_read_as_one(tmp_path: Path) -> None:
    files = {"one": column([1], pa.int8()), "two": column([2.5], pa.float32())}
    assert columns(merged(tmp_path, files, PARQUET)) == {"v": ("Float", False)}
    assert read_back(tmp_path, files, PARQUET) == {"v": [1.0, 2.5]}
