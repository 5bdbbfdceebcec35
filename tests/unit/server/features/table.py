"""A model that joined two feature tables, as its package tells."""

from typing import Any

from tidemill_server.features.request import RequestReader
from tidemill_server.features.tables import FeatureTable, parse_tables
from tidemill_server.package.signature import Signature, parse_signature

INPUTS = (
    ("price", "FP64", False),
    ("site", "BYTES", False),
    ("load", "FP64", True),
    ("units", "INT64", True),
    ("open", "BOOL", True),
    ("w_sky", "BYTES", True),
)


def document(*inputs: tuple[str, str, bool], matrix: str = "object") -> dict[str, Any]:
    return {
        "format": "tidemill.dev/signature/v1",
        "task": "Classification",
        "matrix": matrix,
        "inputs": [
            {"name": name, "datatype": datatype, "nullable": nullable}
            for name, datatype, nullable in inputs or INPUTS
        ],
        "outputs": [{"name": "predict", "datatype": "FP64", "shape": [-1]}],
    }


def signature(*inputs: tuple[str, str, bool], matrix: str = "object") -> Signature:
    return parse_signature(document(*inputs, matrix=matrix))


def key(own: str, kind: str, name: str = "") -> dict[str, str]:
    return {"name": name or own, "own": own, "type": kind}


def column(name: str, kind: str, source: str = "") -> dict[str, str]:
    return {"name": name, "source": source or name, "type": kind}


def entry(
    name: str, keys: list[dict[str, str]], columns: list[dict[str, str]], **more: Any
) -> dict[str, Any]:
    lookup = {"key": keys, "columns": columns, "time": "at"}
    return {"name": name, "version": "sha256:0", "maxAge": None, "lookup": lookup, **more}


LOAD = [column("load", "Float"), column("units", "Integer"), column("open", "Boolean")]
SKY = [column("w_sky", "String", "sky"), column("w_excluded", "Date", "excluded")]


def lineage() -> dict[str, Any]:
    """One by a key that is a feature as well, one by another and the time of it."""
    return {
        "join": [
            entry("site-load", [key("site", "String")], LOAD, maxAge="1h"),
            entry("weather", [key("region", "Integer", "id"), key("day", "Date")], SKY),
        ]
    }


def tables() -> tuple[FeatureTable, ...]:
    return parse_tables(lineage(), signature())


def reader(max_rows: int = 100) -> RequestReader:
    return RequestReader(signature(), tables(), max_rows)
