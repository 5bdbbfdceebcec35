"""The columns that a row may have: the model's inputs, and the keys by which features are found."""

import difflib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from tidemill_server.features.lookup import Lookup
from tidemill_server.package.signature import Signature
from tidemill_server.protocol.errors import ProtocolError, bad_request
from tidemill_server.protocol.rows import listed

NEAREST = 3
_COMPARED = 500  # names beyond these are not compared: it takes time for each
_COMPARED_CHARS = 100


@dataclass(frozen=True, slots=True)
class Field:
    """One column of a row; `optional` where the row may do without it."""

    name: str
    datatype: str
    nullable: bool
    optional: bool = False


def fields_of(signature: Signature, lookup: Lookup | None) -> Mapping[str, Field]:
    """By name, in the order of the features."""
    left_out = lookup.reader.joined if lookup else frozenset()
    fields = {
        column.name: Field(column.name, column.datatype, column.nullable, place in left_out)
        for place, column in enumerate(signature.inputs)
    }
    for name, key in (lookup.reader.keys if lookup else {}).items():
        if name not in fields:
            fields[name] = Field(name, key.sent.datatype, nullable=True, optional=True)
    return fields


def check_names(names: Sequence[str], fields: Mapping[str, Field], where: str) -> None:
    """Refuse a column that the model does not know, or lacks; raises ProtocolError."""
    for name in names:
        if name not in fields:
            known = list(fields)
            raise bad_request(
                f"{where}: the model has no column {name[:_COMPARED_CHARS]!r}"
                f"{_meant(name, known)}; it has {listed(known)}"
            )
    present = set(names)
    missing = [
        field.name for field in fields.values() if not field.optional and field.name not in present
    ]
    if missing:
        raise bad_request(f"{where} lacks {_columns(missing)}")


def _meant(name: str, known: list[str]) -> str:
    by_case = {text.lower(): text for text in known[:_COMPARED]}
    near = difflib.get_close_matches(name[:_COMPARED_CHARS].lower(), by_case, NEAREST)
    return f" (meant: {' or '.join(repr(by_case[one]) for one in near)}?)" if near else ""


def _columns(names: list[str]) -> str:
    return f"the column{'s' if len(names) > 1 else ''} {listed(names)}"


def too_many(rows: int, max_rows: int) -> ProtocolError:
    """The same words for JSON and CSV."""
    return ProtocolError(413, f"the request has more than {max_rows} rows ({rows}): send fewer")
