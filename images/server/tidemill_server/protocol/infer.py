"""An inference request and its answer: JSON, and after it those tensors that are bytes.

Parameters that the server does not know are ignored, as the protocol wants. Of the outputs, those
asked for are computed and answered, or all of them.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import orjson

from tidemill_server.package.signature import Signature
from tidemill_server.protocol import binary
from tidemill_server.protocol.errors import bad_request, shown
from tidemill_server.protocol.rows import read_rows

MAX_ID_CHARS = 1000
EXPLAIN = "explain"  # the parameter of a request
NONE: frozenset[str] = frozenset()


@dataclass(slots=True)  # not frozen: one is made for each request
class InferRequest:
    """What is asked: rows in feature order, which outputs, and which of them as bytes.

    `told` is what the answer tells beside them of how the rows came to be.
    """

    id: str | None
    rows: np.ndarray
    outputs: tuple[str, ...]
    told: Mapping[str, Any] | None = None
    as_bytes: frozenset[str] = NONE
    explain: bool = False


@dataclass(slots=True)  # not frozen: one is made for each request
class Envelope:
    """A request of which the inputs are not read yet."""

    id: str | None
    inputs: object
    outputs: tuple[str, ...]
    as_bytes: frozenset[str]
    explain: bool = False


@dataclass(frozen=True, slots=True)
class Stamp:
    """What every answer of this model says of itself."""

    name: str
    version: str
    digest: str


def read_request(
    body: bytes, signature: Signature, max_rows: int, json_bytes: int | None = None
) -> InferRequest:
    """Parse and check; raises ProtocolError."""
    request = read_envelope(body, signature, json_bytes)
    rows = read_rows(request.inputs, signature, max_rows)
    return InferRequest(request.id, rows, request.outputs, None, request.as_bytes, request.explain)


def read_envelope(body: bytes, signature: Signature, json_bytes: int | None = None) -> Envelope:
    """Parse and check all but the inputs; raises ProtocolError."""
    tail = None
    if json_bytes is not None:
        body, tail = binary.split(body, json_bytes)
    try:
        document = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise bad_request(f"the body is not JSON: {error}") from None
    if type(document) is not dict:
        raise bad_request("the body must be a JSON object with 'inputs'")
    request_id = document.get("id")
    check_id(request_id)
    if tail is not None:
        binary.attach(document.get("inputs"), tail)
    by_default = explain = False
    if "parameters" in document:
        by_default = _flag(document, "binary_data_output", by_default=False)
        explain = _flag(document, EXPLAIN, by_default=False)
    outputs, as_bytes = read_outputs(document.get("outputs"), signature, by_default)
    return Envelope(request_id, document.get("inputs"), outputs, as_bytes, explain)


def check_id(request_id: object) -> None:
    """Refuse an id that is too long to be given back."""
    if request_id is not None and (type(request_id) is not str or len(request_id) > MAX_ID_CHARS):
        raise bad_request(f"'id' must be a string of at most {MAX_ID_CHARS} characters")


def read_outputs(
    asked: object, signature: Signature, by_default: bool
) -> tuple[tuple[str, ...], frozenset[str]]:
    """The names, and those of them that are wanted as bytes."""
    if asked is None or asked == []:
        return signature.output_names, frozenset(signature.output_names) if by_default else NONE
    if type(asked) is not list:
        raise bad_request("'outputs' must be a list of objects with a name")
    names: dict[str, bool] = {}
    for item in asked:
        name = item.get("name") if type(item) is dict else None
        if type(name) is not str or name not in signature.outputs_by_name:
            known = ", ".join(signature.output_names)
            raise bad_request(f"the model has no output {shown(name)}; it has {known}")
        names[name] = by_default if "parameters" not in item else _as_bytes(name, item, by_default)
    if not by_default and True not in names.values():
        return tuple(names), NONE
    return tuple(names), frozenset(name for name, as_bytes in names.items() if as_bytes)


def _as_bytes(name: str, item: Mapping[str, Any], by_default: bool) -> bool:
    if _parameters(item).get("classification"):
        raise bad_request(
            f"output {name!r}: the classification extension is not offered; ask for the output "
            "'predict_proba', or POST rows to /v1/predict for probabilities by label"
        )
    return _flag(item, "binary_data", by_default=by_default)


def _flag(item: Mapping[str, Any], name: str, *, by_default: bool) -> bool:
    """A parameter that is true or false."""
    value = _parameters(item).get(name, by_default)
    if type(value) is not bool:
        raise bad_request(f"the parameter {name!r} must be true or false")
    return value


def _parameters(item: Mapping[str, Any]) -> Mapping[str, Any]:
    parameters = item.get("parameters")
    return parameters if type(parameters) is dict else {}


def write_answer(
    request: InferRequest,
    answer: Mapping[str, np.ndarray],
    signature: Signature,
    *,
    stamp: Stamp,
    prediction: str,
) -> tuple[bytes, int | None]:
    """The answer's body, and how many bytes of it are JSON where tensors follow.

    Floats are written so that reading them gives the same float.
    """
    document: dict[str, Any] = {"model_name": stamp.name, "model_version": stamp.version}
    if request.id is not None:
        document["id"] = request.id
    document["parameters"] = {"prediction_id": prediction, "model_digest": stamp.digest}
    if request.told:
        document["parameters"] |= request.told
    if request.as_bytes:
        return _with_bytes(document, request, answer, signature)
    document["outputs"] = [
        {
            "name": name,
            "datatype": signature.answered[name],
            "shape": list(answer[name].shape),
            "data": answer[name].ravel().tolist(),
        }
        for name in request.outputs
    ]
    return orjson.dumps(document), None


def _with_bytes(
    document: dict[str, Any],
    request: InferRequest,
    answer: Mapping[str, np.ndarray],
    signature: Signature,
) -> tuple[bytes, int]:
    outputs, tail = [], []
    for name in request.outputs:
        datatype, values = signature.answered[name], answer[name]
        output: dict[str, Any] = {
            "name": name,
            "datatype": datatype,
            "shape": list(values.shape),
        }
        if name in request.as_bytes:
            data = binary.write(datatype, values)
            output["parameters"] = {"binary_data_size": len(data)}
            tail.append(data)
        else:
            output["data"] = values.ravel().tolist()
        outputs.append(output)
    document["outputs"] = outputs
    text = orjson.dumps(document)
    return b"".join((text, *tail)), len(text)
