"""A column in SQL, by its type: its value, and when it has one.

A NaN is a value that is missing, and so is an infinite moment. Moments are compared as microseconds
since 1970 in UTC, so that neither a session's time zone nor a column without zone matters.
"""

from tidemill_runner.database import identifier
from tidemill_runner.schema import Column, ColumnType

SQL_TYPES = {
    ColumnType.INTEGER: "BIGINT",
    ColumnType.FLOAT: "DOUBLE",
    ColumnType.BOOLEAN: "BOOLEAN",
    ColumnType.STRING: "VARCHAR",
    ColumnType.DATE: "DATE",
    ColumnType.TIMESTAMP: "TIMESTAMP WITH TIME ZONE",
}
ORDERED = (ColumnType.INTEGER, ColumnType.FLOAT, ColumnType.DATE, ColumnType.TIMESTAMP)
INFINITY = "'infinity'::DOUBLE"
MOMENTS = (ColumnType.DATE, ColumnType.TIMESTAMP)


def present(column: Column) -> str:
    """The condition that a row has a value: true, or else false or NULL.

    DuckDB orders NaN above infinity; comparing is several times cheaper to plan than asking.
    """
    name = identifier(column.name)
    match column.type:
        case ColumnType.FLOAT:
            return f"{value(column)} <= {INFINITY}"
        case ColumnType.TIMESTAMP:
            return f"isfinite({name})"
        case _:
            return f"{name} IS NOT NULL"


def absent(column: Column) -> str:
    """The condition that a row has no value; never NULL."""
    name = identifier(column.name)
    match column.type:
        case ColumnType.FLOAT:
            return f"({name} IS NULL OR {value(column)} > {INFINITY})"
        case ColumnType.TIMESTAMP:
            return f"({name} IS NULL OR NOT isfinite({name}))"
        case _:
            return f"{name} IS NULL"


def value(column: Column) -> str:
    """The value as bounds compare it; may be NaN where it is not present."""
    name = identifier(column.name)
    match column.type:
        case ColumnType.FLOAT:
            return f"{name}::DOUBLE"
        case ColumnType.TIMESTAMP:
            return f"CASE WHEN isfinite({name}) THEN epoch_us({name}) END"
        case _:
            return name


def key(column: Column) -> str:
    """The value as it is compared with other rows': NULL where it is not present."""
    if column.type is ColumnType.FLOAT:
        return f"CASE WHEN NOT isnan({value(column)}) THEN {value(column)} END"
    return value(column)


def in_expression(column: Column) -> str:
    """The value as an expression of the user's sees it."""
    if column.type is ColumnType.TIMESTAMP:
        return f"make_timestamp({value(column)})"
    return f"({key(column)})" if column.type is ColumnType.FLOAT else value(column)


def moment(column: Column) -> str:
    """A Date or Timestamp in microseconds since 1970."""
    name = identifier(column.name)
    return f"CASE WHEN isfinite({name}) THEN epoch_us({name}) END"
