"""Properties of the parsers: what is written is read back, and whatever else is sent is refused.

TIDEMILL_FUZZ_CASES is how many requests each of six tests makes: 2000 here and in CI, so that all
make 10^4; 200000 for a night.
"""

import gzip
import json
import os
import zlib
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.oip.target import STORED
from tests.unit.server.protocol.test_fuzz import SIGNATURE, TEXTS

from tidemill_server.package.signature import parse_signature
from tidemill_server.plain.columns import fields_of
from tidemill_server.plain.read import read_plain
from tidemill_server.protocol import binary, compression
from tidemill_server.protocol.errors import ProtocolError
from tidemill_server.protocol.framing import read_framing
from tidemill_server.protocol.infer import read_request
from tidemill_server.protocol.rows import read_rows

CASES = int(os.environ.get("TIDEMILL_FUZZ_CASES", "2000"))
ROWS = 1000
MODELS = [parse_signature(SIGNATURE), parse_signature(TEXTS)]
NAMES = st.sampled_from(["a", "b", "c", "d", "x", ""])
FEW = settings(max_examples=min(CASES, 300), deadline=None)
MANY = settings(
    max_examples=CASES, deadline=None, database=None, suppress_health_check=list(HealthCheck)
)
MODEL = st.sampled_from(MODELS)


def refusing(read: Callable[[], object]) -> None:
    """Understood, or refused in the protocol's way: anything else raised fails the test."""
    try:
        read()
    except ProtocolError as error:
        if not (400 <= error.status < 500 and error.message):
            raise


@st.composite
def binary_requests(draw: st.DrawFn) -> tuple[bytes, int]:
    """Mostly sensible: names, types and sizes that may or may not agree with the bytes."""
    inputs, tail = [], b""
    for _ in range(draw(st.integers(0, 4))):
        data = draw(st.binary(max_size=40))
        lie = draw(st.sampled_from([0, 0, 0, 0, 1, -1, 1 << 40]))
        tensor: dict[str, Any] = {
            "name": draw(NAMES),
            "datatype": draw(st.sampled_from([*binary.DATATYPES, "BF16", 7])),
            "shape": draw(st.lists(st.integers(-1, 9), max_size=3)),
            "parameters": {"binary_data_size": len(data) + lie},
        }
        inputs.append(tensor)
        tail += data
    head = json.dumps({"inputs": inputs}).encode()
    length = len(head) + draw(st.sampled_from([0, 0, 0, 0, 1, -1, 1000]))
    return head + tail, length


@MANY
@given(binary_requests(), MODEL)
def test_bent_binary_requests(request: tuple[bytes, int], model: Any) -> None:
    body, length = request
    refusing(lambda: read_request(body, model, ROWS, length))


@MANY
@given(st.binary(max_size=200), st.integers(1, 200), MODEL)
def test_any_bytes_as_a_binary_request(body: bytes, length: int, model: Any) -> None:
    refusing(lambda: read_request(body, model, ROWS, length))


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5) | NAMES,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(NAMES, inner, max_size=4),
    max_leaves=12,
)


@MANY
@given(JSON, MODEL)
def test_any_json_as_rows(document: Any, model: Any) -> None:
    body = json.dumps(document).encode()
    fields = fields_of(model, None)
    refusing(lambda: read_rows(read_plain(body, b"", fields, ROWS).tensors, model, ROWS))
    wrapped = json.dumps([document]).encode()
    refusing(lambda: read_rows(read_plain(wrapped, b"", fields, ROWS).tensors, model, ROWS))


@MANY
@given(st.text(alphabet='abcd,"\n\r 01.eE-+truefals\0é', max_size=80), MODEL)
def test_any_text_as_csv(text: str, model: Any) -> None:
    fields = fields_of(model, None)
    header = ",".join(fields) + "\n"
    for body in (text.encode(), (header + text).encode()):
        refusing(
            lambda body=body: read_rows(
                read_plain(body, b"text/csv", fields, ROWS).tensors, model, ROWS
            )
        )


@MANY
@given(st.binary(max_size=100), st.sampled_from(compression.ENCODINGS))
def test_any_bytes_as_a_compressed_body(body: bytes, encoding: bytes) -> None:
    refusing(lambda: compression.decompress(body, encoding, 1000))
    whole = compression.compress(body, encoding)
    refusing(lambda: compression.decompress(whole[:-1], encoding, 1000))
    refusing(lambda: compression.decompress(whole[:5] + body + whole[5:], encoding, 1000))


HEADER_NAMES = (
    b"content-length",
    b"content-type",
    b"content-encoding",
    b"accept-encoding",
    b"inference-header-content-length",
    b"x-tidemill-timeout-ms",
)


@MANY
@given(st.lists(st.tuples(st.sampled_from(HEADER_NAMES), st.binary(max_size=30))))
def test_any_bytes_as_headers(headers: list[tuple[bytes, bytes]]) -> None:
    def read() -> None:
        framing = read_framing(headers)
        compression.accepted(framing.accepted)
        compression.is_compressed(framing.encoding)

    refusing(read)


@FEW
@given(st.data(), st.sampled_from(sorted(STORED)))
def test_numbers_written_as_bytes_are_read_as_they_were(data: st.DataObject, datatype: str) -> None:
    dtype = np.dtype(STORED[datatype])
    if dtype.kind == "f":
        one: st.SearchStrategy[Any] = st.floats(width=dtype.itemsize * 8)
    elif dtype.kind == "b":
        one = st.booleans()
    else:
        limits = np.iinfo(dtype)
        one = st.integers(int(limits.min), int(limits.max))
    values = np.array(data.draw(st.lists(one, max_size=20)), dtype)
    written = binary.write(datatype, values)
    read = binary.read("x", datatype, [len(values)], memoryview(written))
    np.testing.assert_array_equal(read, values)


@FEW
@given(st.lists(st.text()))
def test_texts_written_as_bytes_are_read_as_they_were(texts: list[str]) -> None:
    try:
        written = binary.write("BYTES", np.array(texts, dtype=object))
    except UnicodeEncodeError:
        return  # half a surrogate, which no label is
    assert binary.read("x", "BYTES", [len(texts)], memoryview(written)) == texts


@FEW
@given(st.binary(max_size=5000), st.sampled_from(compression.ENCODINGS))
def test_what_is_compressed_is_read_as_it_was(body: bytes, encoding: bytes) -> None:
    packed = compression.compress(body, encoding)
    assert compression.decompress(packed, encoding, len(body)) == body
    by_others = gzip.compress(body) if encoding == b"gzip" else zlib.compress(body)
    assert compression.decompress(by_others, encoding, len(body)) == body
    if encoding == b"deflate":
        raw = zlib.compressobj(wbits=-15)
        assert compression.decompress(raw.compress(body) + raw.flush(), encoding, len(body)) == body


@FEW
@given(st.integers(0, 200_000), st.integers(0, 200_000))
def test_the_bound_counts_what_a_body_is_when_it_is_read(size: int, bound: int) -> None:
    packed = compression.compress(b" " * size, b"gzip")
    if size <= bound:
        assert len(compression.decompress(packed, b"gzip", bound)) == size
        return
    with pytest.raises(ProtocolError) as caught:
        compression.decompress(packed, b"gzip", bound)
    assert caught.value.status == 413


NUMBERS = {
    "FP64": st.sampled_from([0.0, 1.0, 2.0, -3.0, 0.5, 1e300, -0.0, 2.0**60]),
    "INT64": st.sampled_from([0, 1, 2, -7, 2**60]),
    "BOOL": st.booleans(),
}


@given(data=st.data(), datatype=st.sampled_from(sorted(NUMBERS)), rows=st.integers(1, 20))
@FEW
def test_one_matrix_is_what_its_columns_are(data: st.DataObject, datatype: str, rows: int) -> None:
    columns = [column.name for column in MODELS[0].inputs]
    size = rows * len(columns)
    values = data.draw(st.lists(NUMBERS[datatype], min_size=size, max_size=size))
    if data.draw(st.booleans()):  # else next to nothing is taken
        values = [value if value in (0, 1) else 1 for value in values]
    shape = [rows, len(columns)]
    matrix = [{"name": "x", "datatype": datatype, "shape": shape, "data": values}]
    apart = [
        {"name": name, "datatype": datatype, "shape": [rows], "data": values[place :: len(columns)]}
        for place, name in enumerate(columns)
    ]
    assert _rows_of(matrix) == _rows_of(apart)


def _rows_of(inputs: object) -> object:
    try:
        return read_rows(inputs, MODELS[0], ROWS).tolist()
    except ProtocolError as error:
        return error.message
