"""JSON lines: one JSON object a line, in UTF-8, blank lines left out. Read in blocks of lines.

The columns are the keys of all objects in the order in which they first appear; a key that an
object lacks is a missing value. Complaints name the line (the first is 1) and show no value.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa

from tidemill_runner.failures import Failure
from tidemill_runner.files import json_values, magic
from tidemill_runner.files.delivery import Delivery
from tidemill_runner.files.text import Text
from tidemill_runner.schema import ColumnType, Found, Schema, check_names

BLOCK = 1024 * 1024
MAX_LINE = 4 * 1024 * 1024
# Keys that are data ({"user-17": 1}) would make columns without end.
MAX_COLUMNS = 10_000
Row = dict[str, Any]


def inspect(path: Path, key: str, delivery: Delivery) -> tuple[Found, int]:  # noqa: ARG001
    """The schema of a file and its number of rows; raises Failure."""
    evidence: dict[str, json_values.Evidence] = {}
    rows = 0
    for batch in _rows(path, key):
        _add(evidence, batch, rows, key)
        rows += len(batch)
    if rows == 0:
        raise Failure("NoRows", f"{key} holds no line with an object: complete or remove it")
    if not evidence:
        raise Failure("MalformedFile", f"{key} has no columns: its objects have no keys")
    check_names(key, evidence)
    columns = tuple(found.column(name) for name, found in evidence.items())
    return Found(key, Schema(columns), sparse=True), rows


def read(path: Path, key: str, schema: Schema, names: list[str]) -> Iterator[pa.RecordBatch]:
    """The columns named, with the types of the schema, in batches; Other is text in JSON."""
    kinds = {column.name: column.type for column in schema.columns}
    for batch in _rows(path, key):
        arrays = [_convert([row.get(n) for row in batch], kinds[n], f"{key}: {n!r}") for n in names]
        yield pa.RecordBatch.from_arrays(arrays, names=names)


def _add(
    evidence: dict[str, json_values.Evidence], batch: list[Row], before: int, key: str
) -> None:
    for name in dict.fromkeys(name for row in batch for name in row):
        if name not in evidence:
            evidence[name] = json_values.Evidence()
            if before:
                evidence[name].lacking()
    if len(evidence) > MAX_COLUMNS:
        raise Failure(
            "MalformedFile",
            f"{key}: more than {MAX_COLUMNS} different keys, the limit: keys are names of columns, "
            "deliver what is data as values",
        )
    for name, found in evidence.items():
        found.add([row.get(name) for row in batch])


def _convert(values: list[Any], kind: ColumnType, where: str) -> pa.Array:
    try:
        return json_values.convert(values, kind)
    except (pa.ArrowException, TypeError, OverflowError):
        raise Failure("DatasetCorrupt", f"{where}: values no longer read as {kind}") from None


def _rows(path: Path, key: str) -> Iterator[list[Row]]:
    """The objects of a file, in batches."""
    number = 0
    for lines in _lines(path, key):
        batch = []
        for line in lines:
            number += 1
            if line.strip():
                batch.append(_row(line, f"{key}, line {number}"))
        if batch:
            yield batch


def _lines(path: Path, key: str) -> Iterator[list[bytes]]:
    rest = b""
    with Text(path, key) as file:
        block = file.read(BLOCK)
        magic.check(block, key, "JSON lines")
        block = block.removeprefix(b"\xef\xbb\xbf")
        if block.lstrip().startswith(b"["):
            raise Failure(
                "MalformedFile", f"{key} is one JSON array: write one object a line, without commas"
            )
        while block:
            *lines, rest = (rest + block).split(b"\n")
            if len(rest) > MAX_LINE:
                raise Failure(
                    "MalformedFile",
                    f"{key}: a line is longer than {MAX_LINE // 1024 // 1024} MiB, the limit: "
                    "write one object a line",
                )
            yield lines
            block = file.read(BLOCK)
        yield [rest]


def _row(line: bytes, where: str) -> Row:
    try:
        # A surrogate alone is JSON, but no text.
        found = _DECODER.decode(line.decode("utf-8"))
        if b"\\ud" in line.lower():
            json.dumps(found, ensure_ascii=False).encode("utf-8")
    except _DuplicateKeyError as error:
        raise Failure(
            "DuplicateColumns", f"{where}: the key {error.name!r} stands twice: remove one"
        ) from None
    except UnicodeDecodeError as error:
        raise Failure(
            "WrongEncoding",
            f"{where}: not UTF-8 (byte 0x{line[error.start]:02x}): convert the file",
        ) from None
    except json.JSONDecodeError as error:
        raise _broken(where, f"{error.msg} at character {error.pos + 1}") from None
    except UnicodeEncodeError:
        raise _broken(where, "half of a surrogate pair") from None
    except (ValueError, RecursionError):
        raise _broken(where, "a number too long or objects nested too deeply") from None
    if not isinstance(found, dict):
        raise _broken(where, "no object")
    return found


def _broken(where: str, what: str) -> Failure:
    return Failure(
        "MalformedFile",
        f"{where}: {what}: write one JSON object a line, and deliver the file again",
    )


class _DuplicateKeyError(ValueError):
    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.name = name


def _constant(word: str) -> float | None:
    """What Python writes beyond JSON's grammar: NaN is missing, as in any other format."""
    return None if word == "NaN" else float(word)


def _object(pairs: list[tuple[str, Any]]) -> Row:
    found = dict(pairs)
    if len(found) != len(pairs):
        names = [name for name, _ in pairs]
        raise _DuplicateKeyError(next(name for name in names if names.count(name) > 1))
    return found


_DECODER = json.JSONDecoder(object_pairs_hook=_object, parse_constant=_constant)
