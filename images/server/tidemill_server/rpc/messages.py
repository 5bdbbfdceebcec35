"""The protocol's messages, made when gRPC is on: from this table, by protobuf, without a compiler.

Names, numbers and types are those of the specification's `open_inference_grpc.proto` and of gRPC's
`health.proto`. The classes live in a pool of their own, so that they are in nobody's way who has
generated the same ones.
"""

from collections.abc import Mapping
from typing import Any

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from google.protobuf.message import DecodeError

from tidemill_server.protocol.errors import bad_request

Message = Any  # classes made at run time have no type of their own

INFERENCE, HEALTH = "inference", "grpc.health.v1"
# Each field in its order: name, number, type. `[]` is repeated, `{}` a map by text, `?` optional.
_TENSOR = "name 1 string, datatype 2 string, shape 3 int64[]"
_FULL_TENSOR = f"{_TENSOR}, parameters 4 InferParameter{{}}, contents 5 InferTensorContents"
_ASKED_MODEL = "name 1 string, version 2 string?"
MESSAGES: Mapping[str, Mapping[str, str]] = {
    INFERENCE: {
        "ServerLiveRequest": "",
        "ServerLiveResponse": "live 1 bool",
        "ServerReadyRequest": "",
        "ServerReadyResponse": "ready 1 bool",
        "ModelReadyRequest": _ASKED_MODEL,
        "ModelReadyResponse": "ready 1 bool",
        "RepositoryIndexRequest": "repository_name 1 string, ready 2 bool",
        "RepositoryIndexResponse.ModelIndex": "name 1 string, version 2 string, state 3 string, "
        "reason 4 string",
        "RepositoryIndexResponse": "models 1 RepositoryIndexResponse.ModelIndex[]",
        "ServerMetadataRequest": "",
        "ServerMetadataResponse": "name 1 string, version 2 string, extensions 3 string[]",
        "ModelMetadataRequest": _ASKED_MODEL,
        "ModelMetadataResponse.TensorMetadata": _TENSOR,
        "ModelMetadataResponse": "name 1 string, versions 2 string[], platform 3 string, "
        "inputs 4 ModelMetadataResponse.TensorMetadata[], "
        "outputs 5 ModelMetadataResponse.TensorMetadata[], properties 6 string{}",
        "InferParameter": "bool_param 1 bool, int64_param 2 int64, string_param 3 string, "
        "double_param 4 double, uint64_param 5 uint64",
        "InferTensorContents": "bool_contents 1 bool[], int_contents 2 int32[], "
        "int64_contents 3 int64[], uint_contents 4 uint32[], uint64_contents 5 uint64[], "
        "fp32_contents 6 float[], fp64_contents 7 double[], bytes_contents 8 bytes[]",
        "ModelInferRequest.InferInputTensor": _FULL_TENSOR,
        "ModelInferRequest.InferRequestedOutputTensor": "name 1 string, "
        "parameters 2 InferParameter{}",
        "ModelInferRequest": "model_name 1 string, model_version 2 string?, id 3 string, "
        "parameters 4 InferParameter{}, inputs 5 ModelInferRequest.InferInputTensor[], "
        "outputs 6 ModelInferRequest.InferRequestedOutputTensor[], raw_input_contents 7 bytes[]",
        "ModelInferResponse.InferOutputTensor": _FULL_TENSOR,
        "ModelInferResponse": "model_name 1 string, model_version 2 string, id 3 string, "
        "parameters 4 InferParameter{}, outputs 5 ModelInferResponse.InferOutputTensor[], "
        "raw_output_contents 6 bytes[]",
    },
    HEALTH: {
        "HealthCheckRequest": "service 1 string",
        # An enum in the specification, which on the wire is the same: 0 unknown, 1 serving, 2 not.
        "HealthCheckResponse": "status 1 int32",
    },
}
_ONE_OF = {"InferParameter": "parameter_choice"}

_Field = descriptor_pb2.FieldDescriptorProto
_REPEATED, _SINGLE = _Field.LABEL_REPEATED, _Field.LABEL_OPTIONAL


def _classes() -> dict[str, Message]:
    pool = descriptor_pool.DescriptorPool()
    found = {}
    for package, messages in MESSAGES.items():
        file = descriptor_pb2.FileDescriptorProto(
            name=f"{package}.proto", package=package, syntax="proto3"
        )
        made: dict[str, Message] = {}
        # Those that hold others first: so are the others put into them.
        for name in sorted(messages, key=lambda name: name.count(".")):
            outer, _, inner = name.rpartition(".")
            message = made[outer].nested_type.add() if outer else file.message_type.add()
            message.name = inner
            made[name] = message
            _describe(message, f".{package}", name, messages[name])
        pool.Add(file)
        for name in messages:
            described = pool.FindMessageTypeByName(f"{package}.{name}")
            found[name] = message_factory.GetMessageClass(described)
    return found


def _describe(message: Message, package: str, name: str, fields: str) -> None:
    if name in _ONE_OF:
        message.oneof_decl.add().name = _ONE_OF[name]
    for text in filter(None, fields.split(", ")):
        field, number, kind = text.split()
        one = message.field.add(name=field, number=int(number), label=_SINGLE)
        if name in _ONE_OF:
            one.oneof_index = 0
        if kind.endswith("{}"):
            _map(message, package, name, one, kind[:-2])
            continue
        if kind.endswith("[]"):
            one.label = _REPEATED
        elif kind.endswith("?"):
            one.proto3_optional = True
            one.oneof_index = len(message.oneof_decl)
            message.oneof_decl.add().name = f"_{field}"
        _type(one, package, kind.rstrip("[]?"))


def _map(message: Message, package: str, name: str, field: Message, kind: str) -> None:
    """A map is a list of pairs, by protobuf's rules for their names."""
    entry = message.nested_type.add(name=f"{field.name.capitalize()}Entry")
    entry.options.map_entry = True
    _type(entry.field.add(name="key", number=1, label=_SINGLE), package, "string")
    _type(entry.field.add(name="value", number=2, label=_SINGLE), package, kind)
    field.label = _REPEATED
    _type(field, package, f"{name}.{entry.name}")


def _type(field: Message, package: str, kind: str) -> None:
    if kind.islower():
        field.type = getattr(_Field, f"TYPE_{kind.upper()}")
    else:
        field.type = _Field.TYPE_MESSAGE
        field.type_name = f"{package}.{kind}"


CLASSES: Mapping[str, Message] = _classes()


def parse(name: str, data: bytes) -> Message:
    """Read a message; raises ProtocolError."""
    message = CLASSES[name]()
    try:
        message.ParseFromString(data)
    except (DecodeError, RecursionError):
        raise bad_request(f"the message is no {name} of the Open Inference Protocol") from None
    return message
