"""A user's query to PostgreSQL: judged by the server's own parser, then asked for less or for all.

It is first prepared as it stands: the extended protocol takes one statement, whole by itself. Only
then it stands in parentheses after FROM, where nothing but what gives rows may stand.
"""

from dataclasses import dataclass
from typing import Any

import asyncpg

from tidemill.store import digests
from tidemill.store import postgres_errors as errors
from tidemill.store.postgres import Login, Server
from tidemill.store.postgres_errors import FIELD, DatabaseError, DatabaseReason, query_invalid

# How a value is asked for, by its type: numbers without bounds as the nearest of 64 bits.
AS_IT_IS = "{}"
TYPES = {
    "bool": AS_IT_IS,
    "int2": AS_IT_IS,
    "int4": AS_IT_IS,
    "int8": AS_IT_IS,
    "float4": AS_IT_IS,
    "float8": AS_IT_IS,
    "numeric": "{}::pg_catalog.float8",
    "text": AS_IT_IS,
    "varchar": AS_IT_IS,
    "bpchar": "{}::pg_catalog.text",
    "name": "{}::pg_catalog.text",
    "uuid": "{}::pg_catalog.text",
    "json": "{}::pg_catalog.text",
    "jsonb": "{}::pg_catalog.text",
    "date": AS_IT_IS,
    "timestamp": AS_IT_IS,
    "timestamptz": AS_IT_IS,
}
UNORDERED = ("bool", "uuid", "json", "jsonb")  # the server has no max() for them
UNNAMED = "?column?"  # what the server calls an expression without a name
ERRORS = (asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError, OSError)


@dataclass(frozen=True)
class Column:
    """A column of the result, and the server's name of its type."""

    name: str
    type: str


@dataclass(frozen=True)
class Query:
    """A query for the rows of a source."""

    sql: str
    server: Server
    login: Login

    async def columns(self, connection: Any) -> tuple[Column, ...]:  # noqa: ANN401
        """Have the server parse the query; raises DatabaseError where it may not run or be read."""
        try:
            statement = await connection.prepare(self.sql)
            parameters = statement.get_parameters()
            found = tuple(
                Column(one.name, self._type(one.type)) for one in statement.get_attributes()
            )
        except ERRORS as error:
            raise errors.of_query(error, self.server.where, self.sql, self.login.values) from None
        if parameters:
            raise query_invalid("it has parameters ($1), for which there are no values")
        _check(found)
        try:
            await connection.prepare(self.rows(found))
        except asyncpg.PostgresError as error:
            if str(error.sqlstate).startswith(("42", "0A")):
                what = "it is no plain SELECT, or goes on after a semicolon: it may only read"
                raise query_invalid(what) from None
            raise errors.of_query(error, self.server.where, "", self.login.values) from None
        except ERRORS as error:
            raise errors.of_run(error, self.server.where, self.login.values) from None
        return found

    async def fingerprint(
        self,
        connection: Any,  # noqa: ANN401 - asyncpg has no types
        columns: tuple[Column, ...],
        watermark: str | None,
    ) -> str:
        """Tell one state of the rows from another, as far as columns and watermark do."""
        mark: list[object] = []
        if watermark is not None:
            name = self._watermark(watermark, columns)
            asked = f"SELECT max({name})::pg_catalog.text, count(*) FROM {self._table}"  # noqa: S608
            try:
                mark = list(await connection.fetchrow(asked))
            except ERRORS as error:
                raise errors.of_run(error, self.server.where, self.login.values) from None
        row = [[[column.name, column.type] for column in columns], watermark, mark]
        return digests.sha256_digest(digests.canonical_json(row))

    def rows(self, columns: tuple[Column, ...]) -> str:
        """Give the query for all rows, each value as it is read."""
        values = (
            f"{TYPES[column.type].format(identifier(column.name))} AS {identifier(column.name)}"
            for column in columns
        )
        return f"SELECT {', '.join(values)} FROM {self._table}"  # noqa: S608 - quoted, and judged

    @property
    def _table(self) -> str:
        # On lines of its own: it may end with a comment.
        return f"(\n{self.sql.rstrip().rstrip(';')}\n) AS source"

    def _watermark(self, name: str, columns: tuple[Column, ...]) -> str:
        fit = [column.name for column in columns if column.type not in UNORDERED]
        if name in fit:
            return identifier(name)
        known = any(column.name == name for column in columns)
        what = "has no greatest value" if known else "is none of the query"
        others = f"name one of {', '.join(fit[:20])}" if fit else "leave it out"
        message = f"{FIELD}.watermark: the column {name!r} {what}: {others}"
        raise DatabaseError(DatabaseReason.INVALID, message)

    @staticmethod
    def _type(kind: Any) -> str:  # noqa: ANN401 - asyncpg has no types
        return str(kind.name) if kind.schema == "pg_catalog" else f"{kind.schema}.{kind.name}"


def identifier(name: str) -> str:
    """Give a name as an identifier of SQL."""
    return '"' + name.replace('"', '""') + '"'


def _check(columns: tuple[Column, ...]) -> None:
    if not columns:
        raise query_invalid("it gives no columns: write one SELECT")
    seen: dict[str, str] = {}
    for position, column in enumerate(columns, start=1):
        if column.name == UNNAMED or not column.name.strip():
            raise query_invalid(f"column {position} has no name: give it one with AS")
        if (other := seen.setdefault(column.name.casefold(), column.name)) != column.name:
            what = f"columns {other!r} and {column.name!r} differ in case only"
            raise query_invalid(f"{what}, which no later query tells apart: rename one with AS")
        if any(before.name == column.name for before in columns[: position - 1]):
            raise query_invalid(f"two columns are named {column.name!r}: rename one with AS")
        if column.type not in TYPES:
            raise query_invalid(
                f"column {column.name!r} is of type {column.type}, which is not read: leave it "
                f"out, or cast it, as {identifier(column.name)}::text"
            )
