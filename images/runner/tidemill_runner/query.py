"""A user's SQL query, judged before it runs: one SELECT over the tables it was given, repeatable.

It is judged by DuckDB's own parser, on the tree that it makes of the text, so that nothing depends
on how the text is written.
"""

import json
from collections.abc import Collection, Iterator, Mapping
from typing import Any

import duckdb

from tidemill_runner import names
from tidemill_runner.failures import Failure

Node = Mapping[str, Any]
TABLE_FUNCTIONS = frozenset({"range", "generate_series", "unnest"})
FROM_NODES = frozenset({"BASE_TABLE", "SUBQUERY", "JOIN", "EMPTY", "EXPRESSION_LIST", "PIVOT"})
# They give another answer each time, or tell of the process rather than of the data.
REFUSED = frozenset(
    {
        *("random", "setseed", "uuid", "gen_random_uuid", "uuidv4", "uuidv7", "sleep_ms"),
        *("now", "today", "transaction_timestamp", "get_current_time", "get_current_timestamp"),
        *("current_date", "current_time", "current_timestamp", "localtime", "localtimestamp"),
        *("current_localtime", "current_localtimestamp", "age_now", "txid_current"),
        *("current_setting", "current_database", "current_schema", "current_schemas"),
        *("current_query", "current_query_id", "current_connection_id", "current_transaction_id"),
        *("current_user", "session_user", "user", "current_role", "current_catalog"),
        *("getvariable", "nextval", "currval", "setval", "getenv", "write_log", "version"),
        *("in_search_path", "stats", "vector_type", "pg_backend_pid", "query_table", "query"),
        "error",  # its message is a value
    }
)
# Words that are functions of SQL without parentheses; the parser takes them for columns.
REFUSED_WORDS = frozenset(word for word in REFUSED if word.startswith(("current_", "local")))


def check(sql: str, tables: Collection[str], field: str) -> None:
    """Refuse what is not one repeatable SELECT over `tables`; raises Failure, naming `field`."""
    statement = _parse(sql, field)
    known = {name.casefold() for name in tables}
    known |= {str(name).casefold() for name in _common_tables(statement)}
    for node in _nodes(statement):
        _check_source(node, known, tables, field)
        _check_function(node, field)


def _parse(sql: str, field: str) -> Node:
    with duckdb.connect(":memory:") as connection:
        row = connection.execute("SELECT json_serialize_sql(?)", [sql]).fetchone()
    tree = json.loads(row[0] if row else "{}")
    if tree.get("error"):
        message = str(tree.get("error_message", "it cannot be read")).rstrip(".!")
        if "Only SELECT" in message:
            message = "only one SELECT statement may stand here"
        raise _refused(field, message)
    statements = tree.get("statements", [])
    if len(statements) != 1:
        raise _refused(field, f"it holds {len(statements)} statements: write one SELECT")
    statement: Node = statements[0]["node"]
    return statement


def _nodes(tree: object) -> Iterator[Node]:
    """All nodes; without recursion, for a query may be nested deeply."""
    waiting = [tree]
    while waiting:
        node = waiting.pop()
        if isinstance(node, dict):
            yield node
            waiting.extend(node.values())
        elif isinstance(node, list):
            waiting.extend(node)


def _common_tables(tree: Node) -> Iterator[str]:
    for node in _nodes(tree):
        found = node.get("cte_map")
        if isinstance(found, dict):
            yield from (str(entry["key"]) for entry in found.get("map", []))
        if "cte_name" in node:
            yield str(node["cte_name"])


def _check_source(node: Node, known: set[str], tables: Collection[str], field: str) -> None:
    """Look at what stands after FROM; expressions have a class, these have not."""
    kind = node.get("type")
    if "class" in node or "sample" not in node or not isinstance(kind, str):
        return
    if node["sample"] is not None:
        raise _refused(field, "TABLESAMPLE gives other rows each time: filter by a hash instead")
    if kind == "TABLE_FUNCTION":
        name = str(node.get("function", {}).get("function_name", "")).casefold()
        if name not in TABLE_FUNCTIONS:
            raise _refused(
                field, f"the table function {name} may not be used: read from {_list(tables)}"
            )
    elif kind == "BASE_TABLE":
        name = str(node.get("table_name", ""))
        if node.get("schema_name") or node.get("catalog_name") or name.casefold() not in known:
            near = names.suggestion(name, tables)
            raise _refused(field, f"there is no table {name!r} to read from{near}")
    elif kind not in FROM_NODES and not kind.endswith("_NODE"):
        raise _refused(field, f"{kind.lower()} may not stand here: write a plain SELECT")


def _check_function(node: Node, field: str) -> None:
    kind = node.get("class")
    if kind == "FUNCTION":
        name = str(node.get("function_name", "")).casefold()
        if name in REFUSED:
            raise _not_repeatable(field, name)
    if kind == "COLUMN_REF":
        parts = node.get("column_names") or [""]
        if len(parts) == 1 and str(parts[0]).casefold() in REFUSED_WORDS:
            raise _not_repeatable(field, str(parts[0]).casefold())


def _not_repeatable(field: str, name: str) -> Failure:
    return _refused(
        field,
        f"{name} may not be used: the same data must give the same rows each time; "
        "take times and numbers from the data",
    )


def _refused(field: str, message: str) -> Failure:
    return Failure("PrepareInvalid", f"{field}: {message}")


def _list(tables: Collection[str]) -> str:
    return ", ".join(sorted(tables))
