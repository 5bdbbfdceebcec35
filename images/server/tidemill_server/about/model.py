"""`GET /v1/model`: the model in words that a form, a client or a person can use."""

from collections.abc import Iterable, Mapping
from math import isfinite
from typing import Any

from tidemill_server.lifecycle.state import Served
from tidemill_server.plain.columns import Field
from tidemill_server.plain.predictions import class_names
from tidemill_server.protocol.infer import Stamp

MAX_METRICS = 50
_NUMBERS = ("value", "low", "high")
_MOST = 2**63  # JSON as it is written here has no larger whole number


def describe(stamp: Stamp, served: Served) -> dict[str, Any]:
    """The document; what the package does not tell is left out."""
    signature = served.signature
    return {
        "name": stamp.name,
        "version": stamp.version,
        "digest": stamp.digest,
        "task": signature.task,
        "columns": [_column(field) for field in served.fields.values()],
        "labels": list(class_names(signature)),
        "examples": examples(served),
        **_card(served.card),
    }


def examples(served: Served) -> list[dict[str, Any]]:
    """Rows that the model has answered, or one of zeros."""
    signature = served.signature
    rows = signature.examples or (tuple(_any(column.datatype) for column in signature.inputs),)
    return [
        {
            column.name: _plain(value, column.datatype)
            for column, value in zip(signature.inputs, row, strict=True)
        }
        for row in rows
    ]


def _any(datatype: str) -> object:
    return {"BYTES": "", "BOOL": False}.get(datatype, 0)


def _plain(value: object, datatype: str) -> object:
    """A value of the model's matrix, which has every number as a float, in its column's form."""
    if not isinstance(value, int | float) or datatype == "BYTES":
        return value
    if not _writable(value):
        return None
    if datatype == "BOOL":
        return bool(value)
    if datatype == "INT64" and not _writable(int(value)):
        return None
    return int(value) if datatype == "INT64" else float(value)


def _writable(value: object) -> bool:
    """Whether JSON has it as a number: no infinity, no whole number without end."""
    if not isinstance(value, int | float):
        return False
    return -_MOST <= value < _MOST if isinstance(value, int) else isfinite(value)


def _column(field: Field) -> dict[str, Any]:
    return {
        "name": field.name,
        "datatype": field.datatype,
        "nullable": field.nullable,
        "optional": field.optional,
    }


def _card(card: Mapping[str, Any]) -> dict[str, Any]:
    """Of the card what is short, each part checked: it may be of a later release."""
    model, data = _object(card.get("model")), _object(card.get("data"))
    texts = {
        "estimator": model.get("estimator"),
        "target": model.get("target"),
        "dataset": data.get("dataset"),
        "datasetVersion": data.get("version"),
    }
    found: dict[str, Any] = {
        name: text for name, text in texts.items() if isinstance(text, str) and text
    }
    held_out = data.get("rowsHeldOut")
    if type(held_out) is int and _writable(held_out):
        found["rowsHeldOut"] = held_out
    if metrics := list(_metrics(card.get("metrics"))):
        found["metrics"] = metrics
    return found


def _metrics(items: object) -> Iterable[dict[str, Any]]:
    for item in items[:MAX_METRICS] if isinstance(items, list) else ():
        one = _object(item)
        numbers = {name: one[name] for name in _NUMBERS if _writable(one.get(name))}
        if isinstance(one.get("name"), str) and "value" in numbers:
            yield {"name": one["name"], **numbers}


def _object(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}
