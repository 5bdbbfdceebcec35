"""Values of a database as columns: one type of Arrow for each type of the server.

Values that compare as equal become equal bytes, for the sake of the order and of the digest: there
is one zero and one "not a number". Times are counts of microseconds, which hold all that the server
has; what it calls infinite is no time, and is refused.
"""

from collections.abc import Sequence
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from tidemill.store.postgres_errors import FIELD
from tidemill.store.postgres_query import Column
from tidemill_runner.failures import Failure

_TYPES: dict[str, pa.DataType] = {
    "bool": pa.bool_(),
    "int2": pa.int64(),
    "int4": pa.int64(),
    "int8": pa.int64(),
    "float4": pa.float64(),
    "float8": pa.float64(),
    "numeric": pa.float64(),
    "date": pa.date32(),
    "timestamp": pa.timestamp("us"),
    "timestamptz": pa.timestamp("us", tz="UTC"),
}
# What the server counts from is 2000-01-01; the extremes stand for infinity.
_DAYS, _MICROSECONDS = 10_957, 946_684_800_000_000
_DAY_ENDS = (-(2**31), 2**31 - 1)
_TIME_ENDS = (-(2**63), 2**63 - 1)
_WORD = 8  # a value, or where a text begins
_TIMES = ("date", "timestamp", "timestamptz")


def schema(columns: Sequence[Column]) -> pa.Schema:
    """The types of the columns; everything that is not listed is text."""
    return pa.schema([(one.name, _TYPES.get(one.type, pa.string())) for one in columns])


async def prepare(connection: Any) -> None:  # noqa: ANN401 - asyncpg has no types
    """Have times as the counts that they are sent as: Python's own end with the year 9999."""
    for name in _TIMES:
        await connection.set_type_codec(
            name, schema="pg_catalog", format="tuple", encoder=tuple, decoder=_count
        )


def batch(records: Sequence[Sequence[Any]], kinds: pa.Schema) -> pa.RecordBatch:
    """Records as columns; raises Failure naming the column whose value cannot be had."""
    columns = zip(*records, strict=True)
    arrays = [_array(list(values), kind) for values, kind in zip(columns, kinds, strict=True)]
    return pa.RecordBatch.from_arrays(arrays, schema=kinds)


def size(batch: pa.RecordBatch) -> int:
    """The bytes of its values: the same for equal rows, however they are cut into batches."""
    texts = (column for column in batch.columns if pa.types.is_string(column.type))
    letters = sum(int(pc.sum(pc.binary_length(text)).as_py() or 0) for text in texts)
    values: int = batch.num_rows * batch.num_columns
    return _WORD * values + letters


def _count(value: tuple[int, ...]) -> int:
    return int(value[0])


def _array(values: list[Any], column: pa.Field) -> pa.Array:
    if pa.types.is_floating(column.type):
        return _one_of_equals(pa.array(values, pa.float64()))
    if pa.types.is_date(column.type):
        return _since(values, column, (pa.int32(), _DAYS, _DAY_ENDS))
    if pa.types.is_timestamp(column.type):
        return _since(values, column, (pa.int64(), _MICROSECONDS, _TIME_ENDS))
    return pa.array(values, column.type)


def _one_of_equals(array: pa.Array) -> pa.Array:
    whole = pc.add(array, pa.scalar(0.0))  # -0.0 becomes 0.0
    return pc.if_else(pc.is_nan(whole), pa.scalar(float("nan")), whole)


def _since(
    values: list[int | None], column: pa.Field, counted: tuple[pa.DataType, int, tuple[int, int]]
) -> pa.Array:
    kind, epoch, ends = counted
    if any(value in ends for value in values):
        raise _refused(column, "holds infinity", f"NULLIF({column.name}, 'infinity')")
    try:
        shifted = pc.add_checked(pa.array(values, kind), pa.scalar(epoch, kind))
    except pa.ArrowInvalid:
        raise _refused(column, "holds a time too far away", f"{column.name}::text") from None
    return shifted.cast(column.type)


def _refused(column: pa.Field, what: str, instead: str) -> Failure:
    return Failure(
        "QueryInvalid", f"{FIELD}.query: column {column.name!r} {what}: ask for {instead}"
    )
