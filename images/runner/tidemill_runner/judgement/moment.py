"""Which column says when a row happened, where the spec does not."""

from collections.abc import Iterable

from tidemill_runner.schema import Column, ColumnType

# Names that say when a row happened.
WHEN = frozenset({"at", "date", "datetime", "day", "time", "timestamp", "ts", "when"})
_MOMENTS = (ColumnType.TIMESTAMP, ColumnType.DATE)


def moment_of(columns: Iterable[Column]) -> Column | None:
    """The column that says when a row happened, as far as a name and a type tell."""
    found = [column for column in columns if column.type in _MOMENTS]
    named = [column for column in found if column.name.casefold() in WHEN]
    return next(iter([*named, *found]), None)
