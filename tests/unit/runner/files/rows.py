"""Files as a source delivers them, looked at and read back by the runner's own functions."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from tidemill_runner import tables
from tidemill_runner.failures import Failure
from tidemill_runner.files.delivery import Delivery
from tidemill_runner.files.dialect import Dialect, declared
from tidemill_runner.schema import Merger, Schema, parse

Columns = dict[str, tuple[str, bool]]


def csv(**document: Any) -> Delivery:
    """CSV as a spec declares it."""
    return Delivery("CSV", csv=declared(document) if document else Dialect())


def merged(folder: Path, files: Mapping[str, bytes], delivery: Delivery) -> Schema:
    """The schema of several files by key, as it comes back from the store."""
    merger = Merger()
    for number, (key, data) in enumerate(files.items()):
        path = folder / f"{number}"
        path.write_bytes(data)
        merger.add(tables.inspect(path, key, delivery)[0])
    return parse(merger.schema().to_bytes())


def columns(schema: Schema) -> Columns:
    return {column.name: (str(column.type), column.nullable) for column in schema.columns}


def read_back(folder: Path, files: Mapping[str, bytes], delivery: Delivery) -> dict[str, list[Any]]:
    """All rows as `normalised` gives them, by column."""
    schema = merged(folder, files, delivery)
    found: dict[str, list[Any]] = {name: [] for name in tables.arrow_schema(schema).names}
    for number, key in enumerate(files):
        batches = tables.normalised(folder / f"{number}", key, schema, delivery.format)
        for batch in batches:
            assert batch.schema == tables.arrow_schema(schema)
            for name, values in batch.to_pydict().items():
                found[name] += values
    return found


def one(
    folder: Path, data: bytes | str, delivery: Delivery
) -> tuple[Columns, dict[str, list[Any]]]:
    """Columns and rows of one file."""
    files = {"data": data.encode() if isinstance(data, str) else data}
    return columns(merged(folder, files, delivery)), read_back(folder, files, delivery)


def refused(folder: Path, data: bytes | str, delivery: Delivery, key: str = "data") -> Failure:
    """How one file is refused; the message names it."""
    with pytest.raises(Failure) as caught:
        merged(folder, {key: data.encode() if isinstance(data, str) else data}, delivery)
    assert key in caught.value.message
    return caught.value
