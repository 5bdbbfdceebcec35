"""Columns in the names of folders, as Hive writes them: `year=2024/month=01/part-0.parquet`."""

from collections.abc import Mapping
from dataclasses import replace
from urllib.parse import unquote

import pyarrow as pa

from tidemill_runner import inference
from tidemill_runner.failures import Failure
from tidemill_runner.schema import Column, ColumnType, Found, Schema, check_names

MISSING = "__HIVE_DEFAULT_PARTITION__"
# NA may be a country: only Hive's own word, which is taken before, is missing, and an empty text.
_NOTATION = inference.Notation(nulls=("",))


def extend(found: Found, below: str, field: str) -> Found:
    """Add the columns of an object's folders after its own; `below` is its key in the delivery.

    `field` is the source in the spec, for messages.
    """
    values = _values(below, found.key)
    if not values:
        raise Failure(
            "SchemasDiffer",
            f"{found.key} lies in no folder of the form key=value, as {field}.partitions "
            f"says: move it, or narrow {field}.include",
        )
    taken = sorted(set(values) & set(found.schema.names()))
    if taken:
        raise Failure(
            "DuplicateColumns",
            f"{found.key}: column {taken[0]!r} is in the file and in the name of its folder: "
            f"rename one of them, or leave {field}.partitions out",
        )
    columns = tuple(_column(name, text) for name, text in values.items())
    schema = found.schema
    return replace(
        found,
        schema=replace(schema, columns=(*schema.columns, *columns), partitions=tuple(values)),
    )


def columns(below: str, schema: Schema, names: list[str], rows: int) -> list[pa.Array]:
    """The values of the columns named, the same for so many rows of an object."""
    values = _values(below, below)
    kinds = {column.name: column.type for column in schema.columns}
    return [_repeated(values, name, kinds[name], rows) for name in names]


def _repeated(values: Mapping[str, str | None], name: str, kind: ColumnType, rows: int) -> pa.Array:
    if name not in values:
        raise Failure("DatasetCorrupt", f"the manifest names an object without the folder {name}=")
    text = values[name]
    if text is None:
        return pa.nulls(rows, inference.ARROW[kind])
    value = inference.convert(pa.array([text]), kind, _NOTATION)[0]
    return pa.repeat(value, rows)


def _column(name: str, text: str | None) -> Column:
    found = inference.Evidence(_NOTATION)
    found.add(pa.array([] if text is None else [text], pa.string()))
    return Column(name, found.type, found.nullable or text is None, empty=found.empty)


def _values(below: str, key: str) -> dict[str, str | None]:
    """Names and texts of the folders of a key, outermost first."""
    found: dict[str, str | None] = {}
    for folder in below.split("/")[:-1]:
        if "=" not in folder:
            continue
        name, text = (_decoded(part, key) for part in folder.split("=", 1))
        if name in found:
            raise Failure("DuplicateColumns", f"{key}: two folders are named {name}=: rename one")
        found[name] = None if text == MISSING else text
    check_names(key, found)
    return found


def _decoded(text: str, key: str) -> str:
    try:
        return unquote(text, errors="strict")
    except UnicodeDecodeError:
        raise Failure(
            "WrongEncoding", f"{key}: {text!r} is not UTF-8 in percent-encoding: rename the folder"
        ) from None
