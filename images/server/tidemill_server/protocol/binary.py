"""Tensors as bytes after the JSON: the protocol's extension `binary_tensor_data`.

Bytes are little-endian, in row-major order, without gaps; a text is its length in four bytes and
itself. An input says how many bytes are its own, and they follow in the order of the inputs. No
number is believed before it agrees with the shape and with what was really sent.
"""

import math
import struct

import numpy as np

from tidemill_server.protocol.errors import bad_request, shown

EXTENSION = "binary_tensor_data"
_LENGTH = struct.Struct("<I")
_TYPES = {
    "BOOL": np.dtype("u1"),
    **{f"INT{8 * size}": np.dtype(f"<i{size}") for size in (1, 2, 4, 8)},
    **{f"UINT{8 * size}": np.dtype(f"<u{size}") for size in (1, 2, 4, 8)},
    **{f"FP{8 * size}": np.dtype(f"<f{size}") for size in (2, 4, 8)},
}
DATATYPES = (*_TYPES, "BYTES")


def split(body: bytes, json_bytes: int) -> tuple[bytes, memoryview]:
    """The JSON, and the bytes of the tensors after it; raises ProtocolError."""
    if json_bytes > len(body):
        raise bad_request(
            f"Inference-Header-Content-Length is {json_bytes}, the body has {len(body)} bytes"
        )
    return body[:json_bytes], memoryview(body)[json_bytes:]


def attach(inputs: object, tail: memoryview) -> None:
    """Give each binary input its bytes, as its `data`; raises ProtocolError."""
    start = 0
    for item in inputs if type(inputs) is list else ():
        parameters = item.get("parameters") if type(item) is dict else None
        size = parameters.get("binary_data_size") if type(parameters) is dict else None
        if size is None:
            continue
        name = shown(item.get("name"))
        if type(size) is not int or size < 0:
            raise bad_request(f"input {name}: binary_data_size must be a number of bytes")
        if "data" in item:
            raise bad_request(f"input {name} has both 'data' and 'binary_data_size'")
        if size > len(tail) - start:
            raise bad_request(
                f"input {name}: its binary_data_size is {size}, "
                f"{len(tail) - start} bytes are left of the body"
            )
        # A type that JSON does not have: what has it is from here.
        item["data"] = tail[start : start + size]
        start += size
    if start < len(tail):
        raise bad_request(
            f"{len(tail) - start} bytes follow the last tensor: binary_data_size of each "
            "binary input must add up to what follows the JSON"
        )


def read(name: str, datatype: str, shape: list[int], data: memoryview) -> np.ndarray | list[str]:
    """The values, flat; raises ProtocolError."""
    wanted = math.prod(shape)
    if datatype == "BYTES":
        return _texts(name, wanted, data)
    stored = _TYPES[datatype]
    if len(data) != wanted * stored.itemsize:
        raise bad_request(
            f"input {name!r}: the shape {shape} of {datatype} needs {wanted * stored.itemsize} "
            f"bytes, it has {len(data)}"
        )
    values: np.ndarray = np.frombuffer(data, stored)
    if datatype == "BOOL":
        if values.size and values.max() > 1:
            raise bad_request(f"input {name!r}: the bytes of BOOL are 0 and 1")
        return values.view(np.bool_)
    if stored.kind == "f":
        return values.astype(np.float64, copy=False)
    return values


def _texts(name: str, wanted: int, data: memoryview) -> list[str]:
    texts: list[str] = []
    start, end = 0, len(data)
    while start < end:
        after = start + _LENGTH.size
        if after > end:
            raise bad_request(f"input {name!r}: its bytes end in the length of a text")
        (size,) = _LENGTH.unpack_from(data, start)
        start = after + size
        if start > end:
            raise bad_request(
                f"input {name!r}: the text {len(texts)} has {size} bytes, {end - after} are left"
            )
        try:
            texts.append(str(data[after:start], "utf-8"))
        except UnicodeDecodeError:
            raise bad_request(f"input {name!r}: the text {len(texts)} is not UTF-8") from None
    if len(texts) != wanted:
        raise bad_request(
            f"input {name!r}: its shape needs {wanted} texts, its bytes have {len(texts)}"
        )
    return texts


def write(datatype: str, values: np.ndarray) -> bytes:
    """An output's bytes."""
    if datatype == "BYTES":
        texts = [str(value).encode() for value in values.ravel().tolist()]
        return b"".join(part for text in texts for part in (_LENGTH.pack(len(text)), text))
    return np.ascontiguousarray(values, dtype=_TYPES[datatype]).tobytes()
