"""What the server and its model say of themselves."""

from collections.abc import Sequence
from typing import Any

from tidemill import __version__
from tidemill_server.features.tables import FeatureTable
from tidemill_server.package.signature import Signature
from tidemill_server.protocol.binary import EXTENSION
from tidemill_server.protocol.infer import Stamp


def server_metadata() -> dict[str, Any]:
    """An extension that is advertised is whole."""
    return {"name": "tidemill-server", "version": __version__, "extensions": [EXTENSION]}


def model_metadata(
    stamp: Stamp, signature: Signature, tables: Sequence[FeatureTable], platform: str
) -> dict[str, Any]:
    """Inputs in feature order; `-1` is the number of rows.

    Inputs that are looked up where they are left out say so, and the model by which keys.
    """
    left_out = {column.name: table.dataset for table in tables for column in table.columns}
    return {
        "name": stamp.name,
        "versions": [stamp.version],
        "platform": platform,
        "inputs": [
            {
                "name": column.name,
                "datatype": column.datatype,
                "shape": [-1],
                **_optional(left_out.get(column.name)),
            }
            for column in signature.inputs
        ],
        "outputs": [
            {"name": output.name, "datatype": output.datatype, "shape": list(output.shape)}
            for output in signature.outputs
        ],
        **({"parameters": {"features": [_table(table) for table in tables]}} if tables else {}),
    }


def _optional(dataset: str | None) -> dict[str, Any]:
    return {"parameters": {"optional": True, "dataset": dataset}} if dataset else {}


def _table(table: FeatureTable) -> dict[str, Any]:
    return {
        "dataset": table.dataset,
        "key": [
            {"name": part.name, "datatype": part.sent.datatype, "shape": [-1], "type": part.type}
            for part in table.key
        ],
        "columns": [column.name for column in table.columns],
    }
