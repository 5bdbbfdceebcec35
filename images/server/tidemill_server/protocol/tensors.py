"""One tensor of a request: its fields, its shape, and its values checked against its datatype.

Nothing is converted silently: a string is no number, a fraction is no integer, a number too large
for its datatype is refused. JSON has no NaN, so `null` stands for a missing value; among bytes NaN
does. Numbers that came as bytes stay an array, all other values are a list.
"""

import math
from dataclasses import dataclass
from itertools import chain
from types import NoneType
from typing import Any

import numpy as np

from tidemill_server.protocol import binary
from tidemill_server.protocol.errors import bad_request, shown

_INTEGERS = {
    f"{sign}INT{bits}": ((0, 2**bits - 1) if sign else (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1))
    for sign in ("", "U")
    for bits in (8, 16, 32, 64)
}
_FLOATS = frozenset({"FP32", "FP64"})
_KINDS: dict[str, frozenset[type]] = {
    "BOOL": frozenset({bool}),
    "BYTES": frozenset({str}),
    **dict.fromkeys(_INTEGERS, frozenset({int})),
    **dict.fromkeys(_FLOATS, frozenset({int, float})),
}
DATATYPES = tuple(_KINDS)
MAX_NAME_CHARS = 200


@dataclass(slots=True)  # not frozen: that triples the cost of making one
class Tensor:
    """A tensor as sent, its values flat in row-major order.

    A missing value is `None` in a list, and NaN in an array.
    """

    name: str
    datatype: str
    shape: list[int]
    values: list[Any] | np.ndarray
    has_nulls: bool

    def listed(self) -> list[Any]:
        """The values with `None` for those that are missing."""
        if isinstance(self.values, list):
            return self.values
        values: list[Any] = self.values.tolist()
        return [None if value != value else value for value in values] if self.has_nulls else values  # noqa: PLR0124


def has_nulls(values: list[Any] | np.ndarray) -> bool:
    """Whether a value is missing."""
    if isinstance(values, list):
        return None in values
    return values.dtype.kind == "f" and bool(np.isnan(values).any())


def read_tensor(item: object) -> Tensor:
    """Check one element of `inputs`; raises ProtocolError."""
    if type(item) is not dict:
        raise bad_request("each input must be an object with name, shape, datatype and data")
    name = item.get("name")
    if type(name) is not str or not 0 < len(name) <= MAX_NAME_CHARS:
        raise bad_request("an input has no name")
    datatype = item.get("datatype")
    data = item.get("data")
    if type(data) is memoryview:
        return _from_bytes(name, datatype, item.get("shape"), data)
    if type(datatype) is not str or datatype not in _KINDS:
        raise bad_request(_unknown_datatype(name, datatype))
    shape = _shape(name, item.get("shape"))
    if type(data) is not list:
        raise bad_request(_no_data(name, item))
    values = _flat(name, data, shape)
    kinds = set(map(type, values))
    if not kinds <= _KINDS[datatype]:
        _check_kinds(name, datatype, kinds)
    if datatype not in ("FP64", "BYTES", "BOOL"):
        values = _narrow(name, datatype, values)
    return Tensor(name, datatype, shape, values, NoneType in kinds)


def _from_bytes(name: str, datatype: object, shape: object, data: memoryview) -> Tensor:
    if type(datatype) is not str or datatype not in binary.DATATYPES:
        raise bad_request(_unknown_datatype(name, datatype, binary.DATATYPES))
    sizes = _shape(name, shape)
    values = binary.read(name, datatype, sizes, data)
    return Tensor(name, datatype, sizes, values, has_nulls(values))


def _no_data(name: str, item: dict[str, Any]) -> str:
    parameters = item.get("parameters")
    if type(parameters) is dict and "binary_data_size" in parameters:
        return (
            f"input {name!r} is binary, the request has no header "
            "Inference-Header-Content-Length to say where the JSON ends"
        )
    return f"input {name!r} has no list 'data'"


def _unknown_datatype(name: str, datatype: object, known: tuple[str, ...] = DATATYPES) -> str:
    if datatype == "FP16":
        return f"input {name!r}: FP16 has no JSON form; send FP32 or FP64, or FP16 as bytes"
    if datatype == "BF16":
        return f"input {name!r}: BF16 is not taken, the model computes in FP64; send FP32"
    return f"input {name!r} has the datatype {shown(datatype)}; known are {', '.join(known)}"


def _shape(name: str, shape: object) -> list[int]:
    if type(shape) is not list or not shape or len(shape) > 8:
        raise bad_request(f"input {name!r} has no shape such as [1] or [1, 4]")
    for size in shape:
        if type(size) is not int or size < 0:
            sizes = ", ".join(map(shown, shape))
            raise bad_request(
                f"input {name!r} has the shape [{sizes}]: sizes are whole and not negative"
            )
    return shape


def _flat(name: str, data: list[Any], shape: list[int]) -> list[Any]:
    """The values in row-major order, whether they were sent flat or nested."""
    if len(shape) > 1 and data and type(data[0]) is list:
        for size in shape[1:]:
            if set(map(type, data)) != {list} or set(map(len, data)) != {size}:
                raise bad_request(f"input {name!r}: its data is not nested as its shape {shape}")
            data = list(chain.from_iterable(data))
    wanted = math.prod(shape)
    if len(data) != wanted:
        raise bad_request(
            f"input {name!r}: the shape {shape} needs {wanted} values, its data has {len(data)}"
        )
    return data


def _check_kinds(name: str, datatype: str, kinds: set[type]) -> None:
    wrong = kinds - _KINDS[datatype] - {NoneType}
    if wrong:
        found = ", ".join(sorted(kind.__name__ for kind in wrong))
        raise bad_request(f"input {name!r} is {datatype}, its data has values of type {found}")


def _narrow(name: str, datatype: str, values: list[Any]) -> list[Any]:
    """Keep to the datatype's range; 32-bit numbers are rounded as their sender's are."""
    if datatype == "FP32":
        with np.errstate(over="ignore"):
            narrow = np.array(values, dtype=np.float64).astype(np.float32)
        if np.isinf(narrow).any():
            raise bad_request(f"input {name!r} has a value too large for FP32")
        pairs = zip(values, narrow.astype(np.float64).tolist(), strict=True)
        return [None if value is None else rounded for value, rounded in pairs]
    least, most = _INTEGERS[datatype]
    present = [value for value in values if value is not None]
    if present and not (least <= min(present) and max(present) <= most):
        raise bad_request(f"input {name!r} has a value outside of {datatype}")
    return values
