"""Messages and headers are what others read and write by the specifications."""

import math
from urllib.parse import unquote

import hpack
import numpy as np
import pytest
from tests.unit.server.protocol.test_fuzz import SIGNATURE
from tritonclient.grpc import service_pb2

from tidemill_server.package.signature import parse_signature
from tidemill_server.protocol.errors import ProtocolError
from tidemill_server.protocol.rows import read_rows
from tidemill_server.rpc import frames
from tidemill_server.rpc.messages import CLASSES, HEALTH, INFERENCE, MESSAGES
from tidemill_server.rpc.status import error_trailers
from tidemill_server.rpc.tensors import check_fields, read_infer

STRICT = {**SIGNATURE, "inputs": [{**column, "nullable": False} for column in SIGNATURE["inputs"]]}

# Of the specification, and not of Triton's messages, which are older.
LATER = {("ModelMetadataResponse", "properties")}


@pytest.mark.parametrize("name", MESSAGES[INFERENCE])
def test_fields_have_the_numbers_and_types_of_the_specification(name: str) -> None:
    outer, _, inner = name.partition(".")
    theirs = service_pb2.DESCRIPTOR.message_types_by_name[outer]
    if inner:
        theirs = theirs.nested_types_by_name[inner]
    for field in CLASSES[name].DESCRIPTOR.fields:
        if (name, field.name) in LATER:
            continue
        other = theirs.fields_by_name[field.name]
        for what in ("number", "type", "is_repeated"):
            assert getattr(field, what) == getattr(other, what), field.name
        if field.message_type is not None:
            assert field.message_type.full_name == other.message_type.full_name


def test_health_is_grpcs_own() -> None:
    answer = CLASSES["HealthCheckResponse"](status=2)
    assert answer.SerializeToString() == b"\x08\x02"
    assert CLASSES["HealthCheckRequest"].DESCRIPTOR.full_name == f"{HEALTH}.HealthCheckRequest"


@pytest.mark.parametrize("size", [0, 1, 126, 127, 128, 254, 255, 300, 20_000])
def test_headers_of_every_length_are_read_by_others(size: int) -> None:
    written = [(b":status", b"200"), (b"x" * max(size, 1), b"y" * size)]
    assert list(hpack.Decoder().decode(frames.block(written), raw=True)) == written


def test_nan_is_a_missing_value_by_its_type_too() -> None:
    nullable, strict = parse_signature(SIGNATURE), parse_signature(STRICT)
    request = CLASSES["ModelInferRequest"](model_name="m")
    for name, kind, field in (
        ("a", "FP64", "fp64"),
        ("b", "INT64", "int64"),
        ("c", "BOOL", "bool"),
    ):
        tensor = request.inputs.add(name=name, datatype=kind, shape=[2])
        getattr(tensor.contents, f"{field}_contents").extend([1, 0])
    request.inputs[0].contents.fp64_contents[1] = math.nan
    inputs = read_infer(request.SerializeToString(), nullable, 10).envelope.inputs
    assert np.isnan(read_rows(inputs, nullable, 10)[1, 0])
    with pytest.raises(ProtocolError, match="'a' has a null"):
        read_rows(inputs, strict, 10)


NESTED = b"\x2a\x02\x2a\x00"  # an input with contents of nothing
TOO_MUCH = {
    "inputs": b"\x2a\x00" * 2_000,
    "inputs behind a group": b"\xa3\x06\xa4\x06" + b"\x2a\x00" * 2_000,
    "outputs": b"\x32\x00" * 2_000,
    "contents, again and again": NESTED * 2_000,
    "fields of one input": b"\x2a\xd0\x0f" + b"\x22\x00" * 1_000,
    "values of one input": b"\x2a\xa4\x9c\x01\x2a\xa0\x9c\x01" + b"\x42\x00" * 10_000,
}


@pytest.mark.parametrize("name", TOO_MUCH)
def test_a_message_of_nothing_but_fields_is_refused_before_it_is_read(name: str) -> None:
    with pytest.raises(ProtocolError, match=r"more fields|a group"):
        check_fields(TOO_MUCH[name], 990, 9_990)


def test_as_many_values_as_rows_are_read_whichever_way_they_come() -> None:
    """Texts are fields each; numbers may be, or one run of bytes."""
    check_fields(TOO_MUCH["values of one input"], 1_000, 10_000)
    request = CLASSES["ModelInferRequest"](model_name="m")
    for name, kind, field, values in (
        ("a", "FP64", "fp64", [1.0] * 2_000),
        ("b", "INT64", "int64", [1] * 2_000),
        ("c", "BOOL", "bool", [True] * 2_000),
    ):
        tensor = request.inputs.add(name=name, datatype=kind, shape=[2_000])
        getattr(tensor.contents, f"{field}_contents").extend(values)
    signature = parse_signature(SIGNATURE)
    inputs = read_infer(request.SerializeToString(), signature, 2_000).envelope.inputs
    assert read_rows(inputs, signature, 2_000).shape == (2_000, 3)


@pytest.mark.parametrize("raw", [False, True])
def test_of_too_many_inputs_one_is_named(raw: bool) -> None:
    signature = parse_signature(SIGNATURE)
    request = CLASSES["ModelInferRequest"](model_name="m")
    for _ in range(100):
        request.inputs.add(name="a", datatype="FP64", shape=[1])
        if raw:
            request.raw_input_contents.append(bytes(8))
    inputs = read_infer(request.SerializeToString(), signature, 10).envelope.inputs
    assert isinstance(inputs, list)
    assert len(inputs) == 4
    with pytest.raises(ProtocolError, match="'a'"):
        read_rows(inputs, signature, 10)


def test_a_shape_of_many_dimensions_is_refused() -> None:
    request = CLASSES["ModelInferRequest"](model_name="m")
    request.inputs.add(name="a", datatype="FP64", shape=[1] * 9)
    with pytest.raises(ProtocolError, match="'a' has a shape of 9 dimensions"):
        read_infer(request.SerializeToString(), parse_signature(SIGNATURE), 10)


@pytest.mark.parametrize("letter", ["x", "%", "\u00e9", "\U0001f30a"])
def test_words_for_clients_stay_small_as_they_are_sent(letter: str) -> None:
    trailers = dict(error_trailers(ProtocolError(400, letter * 2_000)))
    sent = trailers[b"grpc-message"]
    assert len(sent) <= 4096
    told = unquote(sent.decode(), errors="strict")
    assert told == letter * len(told)
    assert len(told) > 300
