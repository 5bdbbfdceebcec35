"""What the server and its model say of themselves."""

from typing import Any

from tidemill import __version__
from tidemill_server.package.signature import Signature
from tidemill_server.protocol.infer import Stamp

PLATFORM = "scikit-learn_skops"


def server_metadata() -> dict[str, Any]:
    """No extension is advertised that is not whole."""
    return {"name": "tidemill-server", "version": __version__, "extensions": []}


def model_metadata(stamp: Stamp, signature: Signature) -> dict[str, Any]:
    """Inputs in feature order; `-1` is the number of rows."""
    return {
        "name": stamp.name,
        "versions": [stamp.version],
        "platform": PLATFORM,
        "inputs": [
            {"name": column.name, "datatype": column.datatype, "shape": [-1]}
            for column in signature.inputs
        ],
        "outputs": [
            {"name": output.name, "datatype": output.datatype, "shape": list(output.shape)}
            for output in signature.outputs
        ],
    }
