"""Rows as people write them: JSON objects or CSV with a header, made the tensors of a request.

Rows are counted from 1, the header of a CSV is none of them.
"""

import csv
import io
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import orjson

from tidemill_server.plain.columns import Field, check_names, too_many
from tidemill_server.plain.values import from_json, from_text
from tidemill_server.protocol.errors import ProtocolError, bad_request
from tidemill_server.protocol.infer import EXPLAIN

CSV_TYPE = b"text/csv"
# What curl -d says unless it is told what it sends.
_JSON_TYPES = frozenset({b"", b"application/json", b"application/x-www-form-urlencoded"})
Fields = Mapping[str, Field]


@dataclass(slots=True)
class Plain:
    """One tensor for each column; and whether the answers are to be explained."""

    tensors: list[dict[str, Any]]
    explain: bool


def read_plain(body: bytes, content_type: bytes, fields: Fields, max_rows: int) -> Plain:
    """Parse and check all but the values; raises ProtocolError."""
    explain = False
    if content_type == CSV_TYPE:
        columns, rows = _csv(body, fields, max_rows)
    elif content_type in _JSON_TYPES or content_type.endswith(b"+json"):
        columns, rows, explain = _json(body, fields, max_rows)
    else:
        raise ProtocolError(
            415,
            f"rows come as application/json or text/csv, "
            f"not as {content_type[:100].decode('latin-1')!r}",
        )
    tensors = [
        {"name": name, "datatype": fields[name].datatype, "shape": [rows], "data": values}
        for name, values in columns.items()
    ]
    return Plain(tensors, explain)


def _json(body: bytes, fields: Fields, max_rows: int) -> tuple[dict[str, list[Any]], int, bool]:
    try:
        document = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise bad_request(f"the body is not JSON: {error}") from None
    rows = document.get("rows") if type(document) is dict else document
    if type(rows) is not list:
        raise bad_request(
            'the body must be a list of rows such as [{"column": 1}, …], or {"rows": [{…}, …]}'
        )
    explain = _explain(document) if type(document) is dict and len(document) > 1 else False
    if not rows:
        raise bad_request("the request has no rows")
    if len(rows) > max_rows:
        raise too_many(len(rows), max_rows)
    _check_rows(rows, fields)
    first = rows[0]
    columns = {name: from_json([row[name] for row in rows], fields[name]) for name in first}
    return columns, len(rows), explain


def _explain(document: dict[str, Any]) -> bool:
    """What there is beside the rows."""
    for name in document:
        if name not in ("rows", EXPLAIN):
            raise bad_request(
                f"beside 'rows' the body has {name[:100]!r}, which means nothing here"
            )
    explain = document.get(EXPLAIN, False)
    if type(explain) is not bool:
        raise bad_request(f"{EXPLAIN!r} must be true or false")
    return explain


def _check_rows(rows: list[Any], fields: Fields) -> None:
    """Every row is an object with the columns of the first, which are the model's."""
    for number, row in enumerate(rows, 1):
        if type(row) is not dict:
            raise bad_request(f"row {number} is no object with columns by their names")
        if number == 1:
            check_names(list(row), fields, "row 1")
        elif row.keys() != rows[0].keys():
            check_names(list(row), fields, f"row {number}")
            differing = min(row.keys() ^ rows[0].keys())
            raise bad_request(
                f"row {number} and row 1 differ in the column {differing!r}: "
                "all rows of a request have the same columns"
            )


def _csv(body: bytes, fields: Fields, max_rows: int) -> tuple[dict[str, list[Any]], int]:
    try:
        text = body.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise bad_request(f"the CSV is not UTF-8: byte {error.start}") from None
    lines = csv.reader(io.StringIO(text, newline=""), strict=True)
    try:
        names = next(lines, None)
        if not names:
            raise bad_request("the CSV has no header: its first line names the columns")
        check_names(names, fields, "the header of the CSV")
        seen: set[str] = set()
        for name in names:
            if name in seen:
                raise bad_request(f"the header of the CSV has the column {name!r} twice")
            seen.add(name)
        cells = _cells(lines, len(names), max_rows)
    except csv.Error as error:
        raise bad_request(f"the CSV cannot be read: line {lines.line_num}: {error}") from None
    columns = {
        name: from_text([row[place] for row in cells], fields[name])
        for place, name in enumerate(names)
    }
    return columns, len(cells)


def _cells(lines: Iterable[list[str]], width: int, max_rows: int) -> list[list[str]]:
    rows: list[list[str]] = []
    for row in lines:
        if not row:  # an empty line, as many files have at their end
            continue
        if len(row) != width:
            raise bad_request(
                f"row {len(rows) + 1} of the CSV has {len(row)} cells, its header {width}"
            )
        if len(rows) == max_rows:
            raise too_many(max_rows + 1, max_rows)
        rows.append(row)
    if not rows:
        raise bad_request("the request has no rows")
    return rows
