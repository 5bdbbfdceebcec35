"""Bodies that make no sense, or ask for too much: refused in words, and the process stays small."""

import gzip
import json
import math
import struct
import zlib
from collections.abc import Iterator
from typing import Any

import pytest
from tests.oip.target import HEADER
from tests.unit.server.raw import peak_mib
from tests.unit.server.servers import Reply, Server
from tests.unit.server.test_open_inference_protocol import matrix, refused, request

MIB = 1024 * 1024
# One body of the largest size allowed, read as JSON: what a limit of 16 MiB means for memory.
LARGEST_MIB = 700
FLAT_MIB = 48


@pytest.fixture(autouse=True)
def goes_on(logistic: Server) -> Iterator[None]:
    yield
    assert logistic.infer(request()).status == 200


def binary(server: Server, head: Any, tail: bytes, **headers: str) -> Reply:
    """A request of JSON and bytes."""
    text = json.dumps(head).encode()
    return server.infer(text + tail, **{HEADER.replace("-", "_"): str(len(text)), **headers})


def column(name: str = "price", **fields: Any) -> dict[str, Any]:
    return {"name": name, "shape": [1], "datatype": "FP64", **fields}


def sized(size: Any, **fields: Any) -> dict[str, Any]:
    return {"inputs": [column(parameters={"binary_data_size": size}, **fields)]}


@pytest.mark.parametrize(
    "token", ["NaN", "Infinity", "-Infinity", "nan", "1e400", "0x1", "01", "1."]
)
def test_numbers_that_json_does_not_have_are_400(logistic: Server, token: str) -> None:
    body = json.dumps(request()).replace("[0.5]", f"[{token}]").encode()
    refused(logistic.infer(body))


@pytest.mark.parametrize("digits", [20, 400, 5000, 100_000])
def test_huge_integers_are_400_or_a_float(logistic: Server, digits: int) -> None:
    body = json.dumps(request()).replace("[0.5]", f"[{'9' * digits}]").encode()
    reply = logistic.infer(body)
    assert reply.status in (200, 400)
    whole = json.dumps(request()).replace("[2]", f"[{'9' * digits}]").encode()
    refused(logistic.infer(whole))


@pytest.mark.parametrize("deep", ["[" * 100_000, '{"a":' * 100_000, '{"inputs":' + "[" * 2000])
def test_deep_json_is_400(logistic: Server, deep: str) -> None:
    refused(logistic.infer(deep.encode()))


def test_of_two_keys_of_one_name_the_last_counts(logistic: Server) -> None:
    text = json.dumps(request())
    reply = logistic.infer(('{"inputs": [],' + text[1:]).encode())
    assert reply.status == 200
    refused(logistic.infer((text[:-1] + ', "inputs": []}').encode()))


@pytest.mark.parametrize("bad", [b"\xff", b"\xc0\xaf", b"\xed\xa0\x80", b"\xf4\x90\x80\x80"])
def test_invalid_utf8_in_a_name_is_400(logistic: Server, bad: bytes) -> None:
    refused(logistic.infer(json.dumps(request()).encode().replace(b"price", bad)))


def test_half_a_surrogate_is_400(logistic: Server) -> None:
    refused(logistic.infer(json.dumps(request()).encode().replace(b"price", b"\\ud800")))


def test_a_body_cut_off_anywhere_is_400(logistic: Server) -> None:
    body = json.dumps(request()).encode()
    for end in range(0, len(body), 7):
        refused(logistic.infer(body[:end]))


@pytest.mark.parametrize("size", [-1, 1 << 62, 1 << 70, 8.0, "8", True, [8], {}, 0])
def test_a_binary_size_that_lies_is_400(logistic: Server, size: Any) -> None:
    refused(binary(logistic, sized(size), bytes(8)))


@pytest.mark.parametrize(
    ("shape", "datatype", "tail"),
    [
        ([1 << 40], "FP64", bytes(8)),
        ([1 << 62, 1 << 62], "UINT8", bytes(8)),
        ([0], "FP64", bytes(8)),
        ([1], "FP64", bytes(4)),
        ([2], "BOOL", b"\1\2"),
        ([1], "BYTES", b"\xff\xff\xff\xff"),
        ([1], "BYTES", b"\1\0\0"),
        ([1], "BYTES", b"\1\0\0\0\xff"),
        ([2], "BYTES", b"\1\0\0\0a"),
        ([1], "BYTES", b"\1\0\0\0ab"),
        ([1], "BF16", bytes(2)),
        ([1], "float", bytes(8)),
        ("1", "FP64", bytes(8)),
    ],
)
def test_bytes_that_are_not_what_they_say_are_400(
    logistic: Server, shape: Any, datatype: str, tail: bytes
) -> None:
    refused(binary(logistic, sized(len(tail), shape=shape, datatype=datatype), tail))


def test_two_tensors_that_claim_the_same_bytes_are_400(logistic: Server) -> None:
    inputs = [column(name, parameters={"binary_data_size": 8}) for name in ("price", "demand")]
    refused(binary(logistic, {"inputs": inputs}, bytes(8)))


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_no_numbers_among_bytes_are_missing_or_the_models_to_refuse(
    logistic: Server, value: float
) -> None:
    tensor = matrix([1, 4], None)
    tensor["inputs"][0].pop("data")
    tensor["inputs"][0]["parameters"] = {"binary_data_size": 32}
    message = refused(binary(logistic, tensor, struct.pack("<4d", value, 1, 1, 1)))
    said = "the column 'price' has a null" if math.isnan(value) else "the model refuses the values"
    assert said in message


@pytest.mark.parametrize("flag", [{"binary_data_output": 1}, {"binary_data_output": "true"}])
def test_a_flag_that_is_no_truth_is_400(logistic: Server, flag: dict[str, Any]) -> None:
    assert "true or false" in refused(logistic.infer({**request(), "parameters": flag}))


@pytest.mark.parametrize("encoding", ["gzip", "deflate"])
def test_a_bomb_is_413_and_memory_stays_flat(logistic: Server, encoding: str) -> None:
    plain = b" " * (128 * MIB)
    packed = gzip.compress(plain, 9) if encoding == "gzip" else zlib.compress(plain, 9)
    del plain
    assert len(packed) < 2 * MIB
    before = peak_mib(logistic)
    assert "decompressed" in refused(logistic.infer(packed, Content_Encoding=encoding), 413)
    assert peak_mib(logistic) - before < FLAT_MIB


def test_what_gzip_packed_in_parts_is_one_body(logistic: Server) -> None:
    text = json.dumps(request()).encode()
    packed = gzip.compress(text[:20]) + gzip.compress(b"") + gzip.compress(text[20:])
    for encoding in ("gzip", "x-gzip"):
        assert logistic.infer(packed, Content_Encoding=encoding).status == 200


def test_parts_without_end_are_400(logistic: Server) -> None:
    packed = gzip.compress(b"") * 20_000
    assert "parts" in refused(logistic.infer(packed, Content_Encoding="gzip"))


LONG = "x" * MIB
DEEP = json.loads("[" * 900 + "]" * 900)


@pytest.mark.parametrize("odd", [LONG, DEEP, {"a": LONG}], ids=["long", "deep", "object"])
@pytest.mark.parametrize("field", ["name", "shape", "size", "datatype", "output", "too many"])
def test_what_is_wrong_is_told_in_few_words(logistic: Server, field: str, odd: Any) -> None:
    body = request()
    first = body["inputs"][0]
    if field == "output":
        body["outputs"] = [{"name": odd}]
    elif field == "too many":
        body["inputs"] = [{**first, "name": odd}] * 9
    elif field == "size":
        first["shape"] = [odd]
    else:
        first[field] = odd
    assert len(refused(logistic.infer(body))) < 1000


@pytest.mark.parametrize("name", [LONG, DEEP], ids=["long", "deep"])
def test_the_name_of_a_binary_input_is_told_in_few_words(logistic: Server, name: Any) -> None:
    body = {"inputs": [column(name, parameters={"binary_data_size": -1})]}  # type: ignore[arg-type]
    assert len(refused(binary(logistic, body, bytes(8)))) < 1000


def test_a_bomb_of_bombs_is_read_once(logistic: Server) -> None:
    packed = gzip.compress(gzip.compress(b" " * 10 * MIB))
    refused(logistic.infer(packed, Content_Encoding="gzip"))


def test_bytes_after_a_compressed_body_are_400(logistic: Server) -> None:
    packed = gzip.compress(json.dumps(request()).encode())
    for tail in (b"x", packed):
        refused(logistic.infer(packed + tail, Content_Encoding="gzip"))


@pytest.mark.parametrize("path", ["/v2/models/power/infer", "/v1/predict"])
def test_a_million_rows_are_413(logistic: Server, path: str) -> None:
    rows = 1_000_000
    if path == "/v1/predict":
        body = b"price,demand,day,peak\n" + b"0,0,1,0\n" * rows
        kind = "text/csv"
    else:
        body = json.dumps(matrix([rows, 4], [])).replace("[]", "[" + "1," * (4 * rows - 1) + "1]")
        body, kind = body.encode(), "application/json"
    assert len(body) < 16 * MIB
    before = peak_mib(logistic)
    reply = logistic.request("POST", path, body, {"Content-Type": kind})
    assert "rows" in refused(reply, 413)
    assert peak_mib(logistic) - before < LARGEST_MIB


def test_four_times_the_largest_json_leaves_no_memory_behind(logistic: Server) -> None:
    """Refused anew each time: the peak of the first is the peak of all."""
    body = b'{"inputs": [' + b"[]," * (4 * MIB) + b"[]]}"
    refused(logistic.infer(body))
    before = peak_mib(logistic)
    for _ in range(3):
        refused(logistic.infer(body))
    assert peak_mib(logistic) - before < FLAT_MIB


@pytest.mark.parametrize("category", ["Atlantis", "", "\0", "a" * 100_000, "𝕏"])
def test_an_unknown_category_is_as_the_pipeline_says(texts: Server, category: str) -> None:
    price = {"name": "price", "shape": [1], "datatype": "FP64", "data": [0.1]}
    site = {"name": "site", "shape": [1], "datatype": "BYTES", "data": [category]}
    message = refused(texts.infer({"inputs": [price, site]}))
    assert "unknown categories" in message
    assert len(message) < 1000
