"""An inference request and its answer as gRPC has them; what they mean is REST's own code.

Tensors come by type or as raw bytes, all of a request in the same way, and the answer goes as the
request came. Of the types floats have a NaN, which is a missing value, as it is among bytes.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from tidemill_server.package.signature import Signature
from tidemill_server.protocol import binary
from tidemill_server.protocol.errors import ProtocolError, bad_request, shown
from tidemill_server.protocol.infer import (
    EXPLAIN,
    Envelope,
    InferRequest,
    Stamp,
    check_id,
    read_outputs,
)
from tidemill_server.rpc.messages import CLASSES, Message, parse

# More fields than a request can mean take much more memory than their bytes: so many of them are
# let be, and of each tensor as many as one has, whichever way its values come.
SPARE_FIELDS = 1000
FIELDS_OF_A_TENSOR = 8
MAX_DIMENSIONS = 8
MAX_NAME_BYTES = 1000
_NAME_TAG = 1 << 3 | 2  # model_name, a text
# Which fields of a request have fields of their own that count: its tensors, and those of a tensor
# its values.
_COUNTED = ((5, 6), (5,), ())
_FIELDS = {
    "BOOL": "bool_contents",
    **dict.fromkeys(("INT8", "INT16", "INT32"), "int_contents"),
    "INT64": "int64_contents",
    **dict.fromkeys(("UINT8", "UINT16", "UINT32"), "uint_contents"),
    "UINT64": "uint64_contents",
    "FP32": "fp32_contents",
    "FP64": "fp64_contents",
    "BYTES": "bytes_contents",
}


@dataclass(frozen=True, slots=True)
class RpcRequest:
    """Whose answer is wanted, and what is asked."""

    model: str
    version: str
    envelope: Envelope


def read_infer(data: bytes, signature: Signature, max_rows: int, keys: int = 0) -> RpcRequest:
    """Parse and check all but the values; raises ProtocolError.

    `keys`: how many inputs there are beside the model's own.
    """
    known = len(signature.inputs) + keys
    tensors = known + len(signature.outputs_by_name)
    most = max_rows * known
    check_fields(data, SPARE_FIELDS + FIELDS_OF_A_TENSOR * tensors, SPARE_FIELDS + most)
    message = parse("ModelInferRequest", data)
    check_id(message.id)
    raw = message.raw_input_contents
    # Of more inputs than there are, one too many is enough to be named.
    if raw:
        inputs = _raw(message.inputs, raw, known + 1)
    else:
        inputs = [_typed(tensor, most) for tensor in message.inputs[: known + 1]]
    asked = [
        {"name": output.name, "parameters": _classification(output)} for output in message.outputs
    ]
    outputs, as_bytes = read_outputs(asked, signature, by_default=bool(raw))
    explain = _explain(message)
    envelope = Envelope(message.id or None, inputs, outputs, as_bytes, explain)
    return RpcRequest(message.model_name, message.model_version, envelope)


def _explain(message: Message) -> bool:
    if EXPLAIN not in message.parameters:
        return False
    parameter = message.parameters[EXPLAIN]
    if parameter.WhichOneof("parameter_choice") != "bool_param":
        raise bad_request(f"the parameter {EXPLAIN!r} must be a bool_param")
    return bool(parameter.bool_param)


def _classification(output: Message) -> dict[str, Any]:
    return {"classification": True} if "classification" in output.parameters else {}


def _raw(tensors: Message, raw: Message, count: int) -> list[dict[str, Any]]:
    if len(raw) != len(tensors):
        raise bad_request(
            f"the request has {len(tensors)} inputs and {len(raw)} raw_input_contents: "
            "there must be one for each"
        )
    inputs = []
    for tensor, data in zip(tensors[:count], raw[:count], strict=True):
        if tensor.HasField("contents"):
            raise bad_request(
                f"input {shown(tensor.name)} has contents, and the request raw_input_contents: "
                "send all tensors in one of the two ways"
            )
        inputs.append({**_head(tensor), "data": memoryview(data)})
    return inputs


def _head(tensor: Message) -> dict[str, Any]:
    if len(tensor.shape) > MAX_DIMENSIONS:
        raise bad_request(
            f"input {shown(tensor.name)} has a shape of {len(tensor.shape)} dimensions: "
            "one or two are read"
        )
    return {"name": tensor.name, "datatype": tensor.datatype, "shape": list(tensor.shape)}


def _typed(tensor: Message, most: int) -> dict[str, Any]:
    """The values as JSON would have them; raises ProtocolError."""
    wanted, data = _FIELDS.get(tensor.datatype), []
    for field, values in tensor.contents.ListFields():
        if field.name != wanted and wanted is not None:
            raise bad_request(
                f"input {shown(tensor.name)} is {tensor.datatype}: its values belong into "
                f"{wanted}, not into {field.name}"
            )
        if len(values) > most:
            raise ProtocolError(
                413, f"input {shown(tensor.name)} has {len(values)} values, more than {most}"
            )
        data = list(values)
    if tensor.datatype == "BYTES":
        data = [_text(tensor.name, place, value) for place, value in enumerate(data)]
    elif tensor.datatype in ("FP32", "FP64"):
        data = [None if value != value else value for value in data]  # noqa: PLR0124
    return {**_head(tensor), "data": data}


def _text(name: str, place: int, value: bytes) -> str:
    try:
        return value.decode()
    except UnicodeDecodeError:
        raise bad_request(f"input {shown(name)}: the text {place} is not UTF-8") from None


def name_in(data: bytes) -> str:
    """The model that a request names, found without reading it; `check` it when it is read.

    Clients write it first. Raises ProtocolError where so much comes before it that none would.
    """
    place = 0
    for _ in range(SPARE_FIELDS):
        if place >= len(data):
            return ""
        tag, place = _varint(data, place)
        kind, size = tag & 7, 0
        if kind == 2:
            size, place = _varint(data, place)
        elif kind == 0:
            _, place = _varint(data, place)
        elif kind in (1, 5):
            size = 8 if kind == 1 else 4
        else:
            raise bad_request("the message has a group, which is no part of the protocol")
        if tag == _NAME_TAG:
            return data[place : place + min(size, MAX_NAME_BYTES)].decode("utf-8", "replace")
        place += size
    raise ProtocolError(413, "the message has more fields than a request can mean")


def check_fields(data: bytes, most: int, most_values: int) -> None:
    """Refuse what is made of nothing but fields: each becomes an object, however small it is.

    `most` of the request and its tensors, `most_values` within the contents of all tensors.
    """
    if len(data) > most:  # each takes a byte at least
        _count(data, (0, len(data)), 0, [most, most, most_values])


def _count(data: bytes, span: tuple[int, int], depth: int, left: list[int]) -> None:
    """Take the fields of a message, at a depth, from what is `left`."""
    place, end = span
    while place < end:
        tag, place = _varint(data, place)
        kind = tag & 7
        if kind == 2:
            length, place = _varint(data, place)
            if tag >> 3 in _COUNTED[depth]:
                _count(data, (place, min(place + length, end)), depth + 1, left)
            place += length
        elif kind == 0:
            _, place = _varint(data, place)
        elif kind in (1, 5):
            place += 8 if kind == 1 else 4
        else:
            raise bad_request("the message has a group, which is no part of the protocol")
        left[depth] -= 1
        if left[depth] < 0:
            raise ProtocolError(413, "the message has more fields than a request can mean")


def _varint(data: bytes, place: int) -> tuple[int, int]:
    value = shift = 0
    while place < len(data) and shift < 70:
        byte = data[place]
        place += 1
        value |= (byte & 127) << shift
        if byte < 128:
            break
        shift += 7
    return value, place


def write_infer(
    request: InferRequest,
    answer: Mapping[str, np.ndarray],
    signature: Signature,
    *,
    stamp: Stamp,
    prediction: str,
) -> bytes:
    """The answer's bytes."""
    message = CLASSES["ModelInferResponse"](
        model_name=stamp.name, model_version=stamp.version, id=request.id or ""
    )
    parameters = message.parameters
    parameters["prediction_id"].string_param = prediction
    parameters["model_digest"].string_param = stamp.digest
    for name, value in (request.told or {}).items():
        # Numbers by Dataset have no type of their own here.
        text = value if isinstance(value, str) else json.dumps(value, separators=(",", ":"))
        parameters[name].string_param = text
    for name in request.outputs:
        values, datatype = answer[name], signature.answered[name]
        output = message.outputs.add(name=name, datatype=datatype, shape=values.shape)
        if request.as_bytes:
            message.raw_output_contents.append(binary.write(datatype, values))
            continue
        flat = values.ravel().tolist()
        if datatype == "BYTES":
            flat = [str(value).encode() for value in flat]
        getattr(output.contents, _FIELDS[datatype]).extend(flat)
    written: bytes = message.SerializeToString()
    return written
