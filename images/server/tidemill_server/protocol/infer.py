"""An inference request and its answer, as JSON.

Parameters that the server does not know are ignored, as the protocol wants; a tensor that is not
JSON is not. Of the outputs, those asked for are computed and answered, or all of them.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import orjson

from tidemill_server.package.signature import Signature
from tidemill_server.protocol.errors import ProtocolError, bad_request
from tidemill_server.protocol.rows import read_rows

MAX_ID_CHARS = 1000


@dataclass(frozen=True, slots=True)
class InferRequest:
    """What is asked: rows in feature order, and which outputs.

    `told` is what the answer tells beside them of how the rows came to be.
    """

    id: str | None
    rows: np.ndarray
    outputs: tuple[str, ...]
    told: Mapping[str, Any] | None = None


@dataclass(slots=True)  # not frozen: one is made for each request
class Envelope:
    """A request of which the inputs are not read yet."""

    id: str | None
    inputs: object
    outputs: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Stamp:
    """What every answer of this model says of itself."""

    name: str
    version: str
    digest: str


def check_headers(headers: Iterable[tuple[bytes, bytes]]) -> None:
    """Refuse bodies that are not plain JSON, before they are read."""
    for name, value in headers:
        if name == b"inference-header-content-length":
            raise ProtocolError(
                415, "this server does not take binary tensors; send the tensors' data as JSON"
            )
        if name == b"content-encoding" and value.strip().lower() not in (b"", b"identity"):
            raise ProtocolError(415, "this server does not take compressed bodies; send plain JSON")
        if name == b"content-type" and value.lower().startswith(b"application/octet-stream"):
            raise ProtocolError(415, "this server takes application/json")


def read_request(body: bytes, signature: Signature, max_rows: int) -> InferRequest:
    """Parse and check; raises ProtocolError."""
    request = read_envelope(body, signature)
    rows = read_rows(request.inputs, signature, max_rows)
    return InferRequest(request.id, rows, request.outputs)


def read_envelope(body: bytes, signature: Signature) -> Envelope:
    """Parse and check all but the inputs; raises ProtocolError."""
    try:
        document = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise bad_request(f"the body is not JSON: {error}") from None
    if type(document) is not dict:
        raise bad_request("the body must be a JSON object with 'inputs'")
    request_id = document.get("id")
    if request_id is not None and (type(request_id) is not str or len(request_id) > MAX_ID_CHARS):
        raise bad_request(f"'id' must be a string of at most {MAX_ID_CHARS} characters")
    outputs = _outputs(document.get("outputs"), signature)
    return Envelope(request_id, document.get("inputs"), outputs)


def _outputs(asked: object, signature: Signature) -> tuple[str, ...]:
    if asked is None or asked == []:
        return signature.output_names
    if type(asked) is not list:
        raise bad_request("'outputs' must be a list of objects with a name")
    names: dict[str, None] = {}
    for item in asked:
        name = item.get("name") if type(item) is dict else None
        if type(name) is not str or name not in signature.outputs_by_name:
            known = ", ".join(signature.output_names)
            raise bad_request(f"the model has no output {str(name)[:100]!r}; it has {known}")
        names[name] = None
    return tuple(names)


def write_answer(
    request: InferRequest,
    answer: Mapping[str, np.ndarray],
    signature: Signature,
    *,
    stamp: Stamp,
    prediction: str,
) -> bytes:
    """The answer's body; floats are written so that reading them gives the same float."""
    document: dict[str, Any] = {"model_name": stamp.name, "model_version": stamp.version}
    if request.id is not None:
        document["id"] = request.id
    document["parameters"] = {"prediction_id": prediction, "model_digest": stamp.digest}
    if request.told:
        document["parameters"] |= request.told
    document["outputs"] = [
        {
            "name": name,
            "datatype": signature.outputs_by_name[name].datatype,
            "shape": list(answer[name].shape),
            "data": answer[name].ravel().tolist(),
        }
        for name in request.outputs
    ]
    return orjson.dumps(document)
