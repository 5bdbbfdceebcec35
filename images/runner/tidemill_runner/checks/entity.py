"""What spec.entity asks of the rows: each has its key and its time, and no two have both alike."""

from collections.abc import Iterator, Mapping
from typing import Any

from tidemill_runner import names
from tidemill_runner.checks import column as columns
from tidemill_runner.checks.rule import Label, Repeats, RowRule, Rule
from tidemill_runner.failures import Failure
from tidemill_runner.schema import Column, Schema

FIELD = "spec.entity"


def rules(entity: Mapping[str, Any], schema: Schema) -> Iterator[Rule]:
    """The rules, in the order of the columns; raises Failure, which names the field."""
    keys = [
        _column(name, f"{FIELD}.key[{place}]", schema) for place, name in enumerate(entity["key"])
    ]
    field = f"{FIELD}.timestamp"
    time = _column(entity["timestamp"], field, schema)
    if time.type not in columns.MOMENTS:
        kinds = " or ".join(columns.MOMENTS)
        raise _invalid(field, f"column {time.name!r} is {time.type}, it must be {kinds}")
    every = (*keys, time)
    for column in every:
        yield RowRule(
            _label(f"{column.name} has a value", f"are missing in {column.name!r}", column.name),
            "TRUE",
            columns.absent(column),
        )
    yield Repeats(
        _label("one row for a key and a time", "have the key and the time of an earlier one"),
        tuple(columns.key(column) for column in every),
        " AND ".join(columns.present(column) for column in every),
        exact=True,
    )


def _label(name: str, fault: str, column: str | None = None) -> Label:
    return Label(f"entity: {name}", "entity", FIELD, fault, column)


def _column(name: str, field: str, schema: Schema) -> Column:
    column = schema.column(name)
    if column is None:
        near = names.suggestion(name, schema.names())
        raise _invalid(field, f"the data set has no column {name!r} that can be compared{near}")
    return column


def _invalid(field: str, detail: str) -> Failure:
    return Failure("CheckInvalid", f"{field}: {detail}")
