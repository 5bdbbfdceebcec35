"""A condition in SQL that a user wrote, made safe: read by DuckDB's parser, written anew by us.

What is written anew holds only the nodes, functions and types listed here, and columns of the
schema under our own quoting; nothing of the user's text gets into a query as it is. Each row has a
code: 1 true, 0 false, 2 NULL, and NULL where the condition fails (an overflow, a cast, a division
by zero), which is a violation: data that cannot be judged is not good.
"""

import json
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import duckdb

from tidemill_runner import names
from tidemill_runner.checks import column as columns
from tidemill_runner.database import identifier, quoted
from tidemill_runner.schema import Column, ColumnType, Schema

Node = Mapping[str, Any]

MAX_DEPTH = 60
_TABLE = "checked"
_NUMBER = re.compile(r"-?(?=[.]?[0-9])[0-9_]*([.][0-9_]*)?([eE][+-]?[0-9]+)?")
_COMPARISONS = {
    "COMPARE_EQUAL": "=",
    "COMPARE_NOTEQUAL": "<>",
    "COMPARE_LESSTHAN": "<",
    "COMPARE_GREATERTHAN": ">",
    "COMPARE_LESSTHANOREQUALTO": "<=",
    "COMPARE_GREATERTHANOREQUALTO": ">=",
    "COMPARE_DISTINCT_FROM": "IS DISTINCT FROM",
    "COMPARE_NOT_DISTINCT_FROM": "IS NOT DISTINCT FROM",
}
_OPERATORS = frozenset({"+", "-", "*", "/", "//", "%", "||", "~~", "!~~", "~~*", "!~~*"})
FUNCTIONS = frozenset(
    {
        *("abs", "sign", "round", "floor", "ceil", "ceiling", "trunc", "sqrt", "exp", "ln"),
        *("log10", "pow", "power", "isnan", "isinf", "greatest", "least", "nullif"),
        *("length", "lower", "upper", "trim", "ltrim", "rtrim", "left", "right", "substring"),
        *("substr", "replace", "concat", "contains", "starts_with", "ends_with", "suffix"),
        *("prefix", "like_escape", "not_like_escape", "ilike_escape", "not_ilike_escape"),
        *("year", "quarter", "month", "week", "day", "hour", "minute", "second", "epoch"),
        *("dayofweek", "isodow", "dayofyear", "date_part", "date_trunc", "date_diff", "datediff"),
        *("to_years", "to_months", "to_weeks", "to_days", "to_hours", "to_minutes", "to_seconds"),
        *("regexp_matches", "regexp_full_match"),
    }
)
# The arguments at these positions must be constants, so that they can be judged beforehand.
_CONSTANT = {
    "date_part": (0,),
    "date_trunc": (0,),
    "date_diff": (0,),
    "datediff": (0,),
    "regexp_matches": (1, 2),
    "regexp_full_match": (1, 2),
}
TYPES = frozenset(
    {
        *("BOOLEAN", "TINYINT", "SMALLINT", "INTEGER", "BIGINT", "HUGEINT", "DECIMAL", "FLOAT"),
        *("DOUBLE", "VARCHAR", "DATE", "TIMESTAMP"),
    }
)
_TYPE_NAMES = {name: name for name in TYPES} | {
    "BOOL": "BOOLEAN",
    "INT": "INTEGER",
    "NUMERIC": "DECIMAL",
    "REAL": "FLOAT",
    "TEXT": "VARCHAR",
    "STRING": "VARCHAR",
    "DATETIME": "TIMESTAMP",
}


class Refused(ValueError):  # noqa: N818 - it says what happened to the expression
    """The expression is not one that is allowed; the message says why."""


class Compiler:
    """Compiles conditions over the columns of one schema."""

    def __init__(self, connection: duckdb.DuckDBPyConnection, schema: Schema) -> None:
        """Use an empty database of our own, whose types are those of the schema."""
        self._connection = connection
        self._schema = schema
        self._columns = {column.name: column for column in schema.columns}
        typed = ", ".join(
            f"{identifier(column.name)} {columns.SQL_TYPES[column.type]}"
            for column in schema.columns
            if column.type is not ColumnType.OTHER
        )
        if typed:
            connection.execute(f"CREATE TABLE {_TABLE} ({typed})")

    def compile(self, text: str) -> str:
        """The code of a row in SQL; raises Refused."""
        writer = _Writer(self._columns, self._type, self._evaluate)
        condition = writer.write(_parse(self._connection, text), 0)
        if not writer.used:
            raise Refused("it names no column: say what must be true of a row")
        if (kind := self._type(condition)) != "BOOLEAN":
            raise Refused(f"it gives {kind}, not true or false: compare it with something")
        return f"TRY(COALESCE(CAST({condition} AS TINYINT), 2))"

    def _evaluate(self, sql: str) -> None:
        """Refuse a constant that is none, where it can still be told that the spec is wrong."""
        try:
            self._connection.execute(f"SELECT {sql}").fetchall()
        except duckdb.Error as error:
            raise Refused(_first_line(error)) from None

    def _type(self, sql: str) -> str:
        try:
            self._connection.execute(f"SELECT {sql} FROM {_TABLE} LIMIT 0")  # noqa: S608 - ours
            found = self._connection.description or []
            return str(found[0][1])
        except duckdb.Error as error:
            raise Refused(_first_line(error)) from None


def _parse(connection: duckdb.DuckDBPyConnection, text: str) -> Node:
    row = connection.execute("SELECT json_serialize_sql(?::VARCHAR)", [f"SELECT {text}\n"])
    try:
        tree = json.loads(row.fetchall()[0][0])
    except RecursionError:
        raise Refused("it is nested too deeply") from None
    if tree["error"]:
        message = str(tree.get("error_message", "it cannot be read")).strip().splitlines()[0]
        raise Refused("only one condition may stand here" if "Only SELECT" in message else message)
    if len(tree["statements"]) != 1:
        raise Refused("only one condition may stand here")
    statement = tree["statements"][0]["node"]
    if not _is_bare(statement):
        raise Refused("only one condition may stand here, without SELECT, FROM, WHERE and so on")
    found: Node = statement["select_list"][0]
    return found


def _is_bare(node: Node) -> bool:
    """Whether a statement is nothing but one expression."""
    return (
        node["type"] == "SELECT_NODE"
        and len(node["select_list"]) == 1
        and not node["select_list"][0].get("alias")
        and node["from_table"]["type"] == "EMPTY"
        and node["aggregate_handling"] == "STANDARD_HANDLING"
        and not node["cte_map"]["map"]
        and not any(
            node[part]
            for part in (
                *("modifiers", "where_clause", "group_expressions", "group_sets"),
                *("having", "sample", "qualify"),
            )
        )
    )


class _Writer:
    """Writes a tree of the parser's as SQL, or refuses it."""

    def __init__(
        self,
        known: Mapping[str, Column],
        type_of: Callable[[str], str],
        evaluate: Callable[[str], None],
    ) -> None:
        self._known = known
        self._type_of = type_of
        self._evaluate = evaluate
        self.used: set[str] = set()

    def write(self, node: Node, depth: int) -> str:
        if depth > MAX_DEPTH:
            raise Refused(f"it is nested more than {MAX_DEPTH} deep")
        if node.get("alias"):
            raise Refused(
                f"{node['alias']!r} stands where nothing may: there is an operator missing"
            )
        writers = {
            "CONSTANT": self._constant,
            "COLUMN_REF": self._reference,
            "COMPARISON": self._comparison,
            "CONJUNCTION": self._conjunction,
            "OPERATOR": self._operator,
            "BETWEEN": self._between,
            "CASE": self._case,
            "CAST": self._cast,
            "FUNCTION": self._function,
        }
        writer = writers.get(node["class"])
        if writer is None:
            raise _not_allowed(node["class"])
        return writer(node, depth + 1)

    def _constant(self, node: Node, _depth: int) -> str:
        sql = _constant(node)
        self._evaluate(sql)
        return sql

    def _reference(self, node: Node, _depth: int) -> str:
        return columns.in_expression(self._column(node))

    def _conjunction(self, node: Node, depth: int) -> str:
        word = " AND " if node["type"] == "CONJUNCTION_AND" else " OR "
        return f"({word.join(self._all(node['children'], depth))})"

    def _between(self, node: Node, depth: int) -> str:
        parts = [node["input"], node["lower"], node["upper"]]
        value, low, high = self._compared(parts, depth)
        return f"({value} BETWEEN {low} AND {high})"

    def _all(self, nodes: Sequence[Node], depth: int) -> list[str]:
        return [self.write(node, depth) for node in nodes]

    def _column(self, node: Node) -> Column:
        parts = node["column_names"]
        if len(parts) != 1:
            whole = ".".join(parts)
            raise Refused(f'{whole} is no column: quote a name with a dot, as in "{whole}"')
        column = self._known.get(parts[0])
        if column is None:
            near = names.suggestion(parts[0], self._known)
            raise Refused(f"the data set has no column {parts[0]!r}{near}")
        if column.type is ColumnType.OTHER:
            raise Refused(f"column {column.name!r} is of type Other, whose values are not judged")
        self.used.add(column.name)
        return column

    def _comparison(self, node: Node, depth: int) -> str:
        left, right = self._compared([node["left"], node["right"]], depth)
        return f"({left} {_COMPARISONS[node['type']]} {right})"

    def _compared(self, nodes: Sequence[Node], depth: int) -> list[str]:
        """Operands of a comparison: a NaN, greater than all numbers to DuckDB, is missing."""
        written = self._all(nodes, depth)
        kinds = [self._type_of(sql) for sql in written]
        other = next((kind for kind in kinds if kind not in ("VARCHAR", "NULL")), None)
        for node, sql in zip(nodes, written, strict=True):
            if other and node["class"] == "CONSTANT" and node["literal"]["kind"] == "STRING":
                # It would fail in each row; it is the spec that is wrong.
                self._evaluate(f"CAST({sql} AS {other})")
        return [
            f"nullif({sql}, 'nan'::DOUBLE)"
            if kind in ("DOUBLE", "FLOAT") and node["class"] not in ("COLUMN_REF", "CONSTANT")
            else sql
            for node, sql, kind in zip(nodes, written, kinds, strict=True)
        ]

    def _operator(self, node: Node, depth: int) -> str:
        children = node["children"]
        match node["type"]:
            case "OPERATOR_NOT":
                return f"(NOT {self.write(children[0], depth)})"
            case "OPERATOR_IS_NULL":
                return f"({self.write(children[0], depth)} IS NULL)"
            case "OPERATOR_IS_NOT_NULL":
                return f"({self.write(children[0], depth)} IS NOT NULL)"
            case "OPERATOR_COALESCE":
                return f"COALESCE({', '.join(self._all(children, depth))})"
            case "COMPARE_IN" if all(_is_constant(child) for child in children[1:]):
                value, *allowed = self._compared(children, depth)
                return f"({value} IN ({', '.join(allowed)}))"
            case "COMPARE_IN":
                raise Refused("IN takes a list of constants: compare columns with = and OR")
            case other:
                raise _not_allowed(other)

    def _case(self, node: Node, depth: int) -> str:
        cases = "".join(
            f" WHEN {self.write(check['when_expr'], depth)}"
            f" THEN {self.write(check['then_expr'], depth)}"
            for check in node["case_checks"]
        )
        return f"(CASE{cases} ELSE {self.write(node['else_expr'], depth)} END)"

    def _cast(self, node: Node, depth: int) -> str:
        word = "TRY_CAST" if node["try_cast"] else "CAST"
        sql = f"{word}({self.write(node['child'], depth)} AS {_type(node['type_expr'])})"
        if _is_constant(node):
            self._evaluate(sql)
        return sql

    def _function(self, node: Node, depth: int) -> str:
        path = node["qualified_name"]["path"]
        name = str(path[-1]).lower()
        arguments = [argument["expression"] for argument in node["arguments"]]
        if node["is_operator"] and name in _OPERATORS and len(path) == 1:
            parts = self._all(arguments, depth)
            return f"({name} {parts[0]})" if len(parts) == 1 else f"({parts[0]} {name} {parts[1]})"
        plain = not (node["distinct"] or node["filter"] or node["order_bys"]["orders"])
        named = any(argument["name"] for argument in node["arguments"])
        if name not in FUNCTIONS or len(path) != 1 or named or not plain:
            near = names.suggestion(name, sorted(FUNCTIONS))
            raise Refused(
                f"{'.'.join(path)} may not be used in a condition on one row"
                f"{near if 'did you mean' in near and name not in FUNCTIONS else ''}"
            )
        for position in _CONSTANT.get(name, ()):
            if position < len(arguments) and not _is_constant(arguments[position]):
                raise Refused(f"argument {position + 1} of {name} must be a constant")
        if name.startswith("regexp_") and len(arguments) > 1:
            self._evaluate(f"{name}('', {', '.join(self._all(arguments[1:], depth))})")
        if name == "isnan" and arguments and arguments[0]["class"] == "COLUMN_REF":
            # Everywhere else a NaN is missing; who asks for it is to find it.
            return f"isnan({columns.value(self._column(arguments[0]))})"
        return f"{name}({', '.join(self._all(arguments, depth))})"


def _constant(node: Node) -> str:
    kind, text = node["literal"]["kind"], str(node["literal"]["text"])
    match kind:
        case "INTEGER" | "NUMERIC" if _NUMBER.fullmatch(text):
            return f"({text.replace('_', '')})"
        case "STRING":
            return quoted(text)
        case "BOOLEAN" if text in ("true", "false"):
            return text.upper()
        case "NULL_LITERAL":
            return "NULL"
        case _:
            raise Refused(f"a constant of the kind {_words(kind)} may not be used")


def _is_constant(node: Node) -> bool:
    while node["class"] == "CAST":
        node = node["child"]
    return bool(node["class"] == "CONSTANT")


def _type(node: Node) -> str:
    path = node["qualified_name"]["path"] if node["class"] == "TYPE" else []
    name = _TYPE_NAMES.get(str(path[0]).upper()) if len(path) == 1 else None
    if name is None:
        wanted = ".".join(path)
        raise Refused(f"a cast to {wanted} may not be used; there are {', '.join(sorted(TYPES))}")
    sizes = [_constant(child) if _is_constant(child) else "" for child in node["children"]]
    if not sizes:
        return name
    if name != "DECIMAL" or not all(re.fullmatch(r"\([0-9]+\)", size) for size in sizes):
        raise Refused(f"a cast to {name} takes no such arguments")
    return f"{name}({', '.join(size.strip('()') for size in sizes)})"


def _not_allowed(kind: str) -> Refused:
    return Refused(f"{_words(kind)} may not be used in a condition on one row")


def _words(name: str) -> str:
    return name.lower().replace("_", " ").removeprefix("operator ")


def _first_line(error: duckdb.Error) -> str:
    text = str(error).strip().splitlines()[0]
    return text.partition(": ")[2] or text
