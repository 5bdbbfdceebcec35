"""Any server that speaks the Open Inference Protocol over gRPC, and a request that it takes.

The messages are tritonclient's, so that nothing here was made by the server that is asked.
"""

import copy
from dataclasses import dataclass
from typing import Any

import grpc
import numpy as np
import pytest
from tests.oip.target import STORED, Tensors, as_bytes
from tritonclient.grpc import service_pb2 as messages

SECONDS = 30.0
SERVICE = "/inference.GRPCInferenceService/"
FIELDS = {
    "BOOL": "bool_contents",
    **dict.fromkeys(("INT8", "INT16", "INT32"), "int_contents"),
    "INT64": "int64_contents",
    **dict.fromkeys(("UINT8", "UINT16", "UINT32"), "uint_contents"),
    "UINT64": "uint64_contents",
    "FP32": "fp32_contents",
    "FP64": "fp64_contents",
    "BYTES": "bytes_contents",
}
Message = Any


@dataclass(frozen=True)
class RpcTarget:
    """`inputs` is a valid request of two rows, all numbers of it small and whole."""

    channel: grpc.Channel
    model: str
    version: str
    inputs: Tensors

    def send(self, method: str, data: bytes, **options: Any) -> bytes:
        """One call, its messages as bytes; raises grpc.RpcError."""
        answer: bytes = self.channel.unary_unary(method)(data, timeout=SECONDS, **options)
        return answer

    def ask(self, name: str, message: Message = None, **options: Any) -> Message:
        request = getattr(messages, f"{name}Request")() if message is None else message
        answer = getattr(messages, f"{name}Response")()
        data = self.send(SERVICE + name, request.SerializeToString(), **options)
        answer.ParseFromString(data)
        return answer

    def refused(self, code: grpc.StatusCode, name: str, message: Message = None) -> str:
        """The words of the refusal, which must have this code."""
        return refusal(code, lambda: self.ask(name, message))

    def request(self, *, raw: bool = True, datatype: str | None = None, **fields: Any) -> Message:
        """The valid request, to be changed at will; numbers in this datatype."""
        message = messages.ModelInferRequest(model_name=self.model, **fields)
        for tensor in copy.deepcopy(self.inputs):
            kind, values = tensor["datatype"], tensor["data"]
            kind = kind if kind == "BYTES" else datatype or kind
            one = message.inputs.add(name=tensor["name"], datatype=kind, shape=tensor["shape"])
            if raw:
                message.raw_input_contents.append(as_bytes(kind, values))
            elif kind == "BYTES":
                one.contents.bytes_contents.extend(value.encode() for value in values)
            else:
                getattr(one.contents, FIELDS[kind]).extend(
                    np.array(values).astype(STORED[kind]).tolist()
                )
        return message

    def infer(
        self, message: Message, **options: Any
    ) -> dict[str, tuple[str, list[int], list[Any]]]:
        """The outputs by name: datatype, shape, values."""
        return outputs(self.ask("ModelInfer", message, **options))


def outputs(answer: Message) -> dict[str, tuple[str, list[int], list[Any]]]:
    found = {}
    raws = answer.raw_output_contents
    assert len(raws) in (0, len(answer.outputs))
    for place, output in enumerate(answer.outputs):
        kind = output.datatype
        if raws:
            assert not output.HasField("contents")
            values = _texts(raws[place]) if kind == "BYTES" else _numbers(kind, raws[place])
        else:
            values = list(getattr(output.contents, FIELDS[kind]))
        assert len(values) == np.prod(list(output.shape))
        found[output.name] = (kind, list(output.shape), values)
    return found


def _numbers(kind: str, data: bytes) -> list[Any]:
    found: list[Any] = np.frombuffer(data, STORED[kind]).tolist()
    return found


def _texts(data: bytes) -> list[bytes]:
    found = []
    while data:
        size = int.from_bytes(data[:4], "little")
        found.append(data[4 : 4 + size])
        data = data[4 + size :]
    return found


def refusal(code: grpc.StatusCode, ask: Any) -> str:
    with pytest.raises(grpc.RpcError) as found:
        ask()
    error: Any = found.value
    assert error.code() is code, (error.code(), error.details())
    assert error.details()
    return str(error.details())
