"""What the Open Inference Protocol asks of any server over gRPC."""

from collections.abc import Callable
from dataclasses import dataclass

import grpc
from tests.oip.rpc_target import SERVICE, RpcTarget, messages, outputs, refusal
from tests.oip.target import STORED

INVALID, NOT_FOUND = grpc.StatusCode.INVALID_ARGUMENT, grpc.StatusCode.NOT_FOUND
UNIMPLEMENTED = grpc.StatusCode.UNIMPLEMENTED
RPC_CHECKS: list["RpcCheck"] = []


@dataclass(frozen=True)
class RpcCheck:
    number: int
    name: str
    run: Callable[[RpcTarget], None]

    @property
    def label(self) -> str:
        return f"{self.number:02} {self.name}"


Run = Callable[[RpcTarget], None]


def check(number: int, name: str) -> Callable[[Run], Run]:
    def add(run: Run) -> Run:
        RPC_CHECKS.append(RpcCheck(number, name, run))
        return run

    return add


@check(24, "gRPC: raw contents are taken and answered")
def _(target: RpcTarget) -> None:
    answer = target.ask("ModelInfer", target.request())
    assert len(answer.raw_output_contents) == len(answer.outputs) > 0
    assert outputs(answer) == target.infer(target.request(raw=False))


@check(25, "gRPC: a wrong number of features is INVALID_ARGUMENT")
def _(target: RpcTarget) -> None:
    request = messages.ModelInferRequest(model_name=target.model)
    request.inputs.add(name="x", datatype="FP64", shape=[1, 77])
    request.raw_input_contents.append(bytes(77 * 8))
    target.refused(INVALID, "ModelInfer", request)


@check(51, "gRPC: server and model are live and ready, with and without the version")
def _(target: RpcTarget) -> None:
    assert target.ask("ServerLive").live is True
    assert target.ask("ServerReady").ready is True
    for version in ("", target.version):
        request = messages.ModelReadyRequest(name=target.model, version=version)
        assert target.ask("ModelReady", request).ready is True


@check(52, "gRPC: server and model describe themselves")
def _(target: RpcTarget) -> None:
    server = target.ask("ServerMetadata")
    assert server.name
    assert server.version
    model = target.ask("ModelMetadata", messages.ModelMetadataRequest(name=target.model))
    assert (model.name, list(model.versions)) == (target.model, [target.version])
    assert model.platform
    for tensor in (*model.inputs, *model.outputs):
        assert tensor.name
        assert tensor.datatype
        assert -1 in tensor.shape
    answered = target.infer(target.request())
    assert {one.name: one.datatype for one in model.outputs} == {
        name: kind for name, (kind, _, _) in answered.items()
    }


@check(53, "gRPC: an unknown model is NOT_FOUND")
def _(target: RpcTarget) -> None:
    for name in ("ModelReady", "ModelMetadata"):
        request = getattr(messages, f"{name}Request")(name="no-such-model")
        target.refused(NOT_FOUND, name, request)
    request = target.request()
    request.model_name = "no-such-model"
    target.refused(NOT_FOUND, "ModelInfer", request)


@check(54, "gRPC: an unknown version is NOT_FOUND, the right one is taken")
def _(target: RpcTarget) -> None:
    for name in ("ModelReady", "ModelMetadata"):
        request = getattr(messages, f"{name}Request")(name=target.model, version="no-such")
        target.refused(NOT_FOUND, name, request)
    target.refused(NOT_FOUND, "ModelInfer", target.request(model_version="no-such"))
    assert target.infer(target.request(model_version=target.version))


@check(55, "gRPC: the id comes back, and none where none was sent; the answer names the model")
def _(target: RpcTarget) -> None:
    answer = target.ask("ModelInfer", target.request(id="a-7"))
    assert (answer.id, answer.model_name) == ("a-7", target.model)
    assert answer.model_version == target.version
    assert target.ask("ModelInfer", target.request()).id == ""


@check(56, "gRPC: of the outputs those asked for are answered, in the order asked")
def _(target: RpcTarget) -> None:
    names = list(target.infer(target.request()))
    for raw in (True, False):
        request = target.request(raw=raw)
        for name in reversed(names):
            request.outputs.add(name=name)
        assert list(target.infer(request)) == names[::-1]
        del request.outputs[1:]
        assert list(target.infer(request)) == names[-1:]


@check(57, "gRPC: every datatype of numbers means the same number, raw and by its type")
def _(target: RpcTarget) -> None:
    wanted = target.infer(target.request())
    numbers = [one["data"] for one in target.inputs if one["datatype"] != "BYTES"]
    for datatype in STORED:
        if datatype == "BOOL" and any(value not in (0, 1) for data in numbers for value in data):
            continue
        assert target.infer(target.request(datatype=datatype)) == wanted, datatype
        if datatype != "FP16":
            typed = target.request(datatype=datatype, raw=False)
            assert target.infer(typed) == wanted, datatype


@check(58, "gRPC: a shape that is not the data's, or odd, is INVALID_ARGUMENT")
def _(target: RpcTarget) -> None:
    for shape in ([3], [], [-2], [2, 2, 2], [1 << 40], [-(1 << 63)]):
        for raw in (True, False):
            request = target.request(raw=raw)
            del request.inputs[0].shape[:]
            request.inputs[0].shape.extend(shape)
            target.refused(INVALID, "ModelInfer", request)


@check(59, "gRPC: an unknown datatype, BF16, and FP16 by its type are INVALID_ARGUMENT")
def _(target: RpcTarget) -> None:
    for datatype in ("", "FLOAT", "BF16", "FP16"):
        request = target.request(raw=False)
        request.inputs[0].datatype = datatype
        target.refused(INVALID, "ModelInfer", request)


@check(60, "gRPC: an unknown output, and no inputs, are INVALID_ARGUMENT")
def _(target: RpcTarget) -> None:
    request = target.request()
    request.outputs.add(name="no-such-output")
    target.refused(INVALID, "ModelInfer", request)
    target.refused(INVALID, "ModelInfer", messages.ModelInferRequest(model_name=target.model))


@check(61, "gRPC: contents beside raw ones, and one raw too few, are INVALID_ARGUMENT")
def _(target: RpcTarget) -> None:
    request = target.request()
    request.inputs[0].contents.int_contents.extend([1, 2])
    target.refused(INVALID, "ModelInfer", request)
    request = target.request()
    request.raw_input_contents.append(b"")
    target.refused(INVALID, "ModelInfer", request)


@check(62, "gRPC: values in a field of another type are INVALID_ARGUMENT")
def _(target: RpcTarget) -> None:
    request = target.request(raw=False)
    request.inputs[0].ClearField("contents")
    wrong = "int_contents" if request.inputs[0].datatype != "INT32" else "uint_contents"
    getattr(request.inputs[0].contents, wrong).extend([1, 2])
    target.refused(INVALID, "ModelInfer", request)


@check(63, "gRPC: a text for a number, or a number for a text, is INVALID_ARGUMENT")
def _(target: RpcTarget) -> None:
    for tensor in range(len(target.inputs)):
        request = target.request(raw=False)
        one = request.inputs[tensor]
        one.ClearField("contents")
        if one.datatype == "BYTES":
            one.datatype = "FP64"
            one.contents.fp64_contents.extend([1, 2])
        else:
            one.datatype = "BYTES"
            one.contents.bytes_contents.extend([b"x", b"y"])
        target.refused(INVALID, "ModelInfer", request)


@check(64, "gRPC: raw bytes of another length than the shape's are INVALID_ARGUMENT")
def _(target: RpcTarget) -> None:
    for change in (lambda data: data[:-1], lambda data: data + b"\0", lambda _: b""):
        request = target.request()
        request.raw_input_contents[0] = change(request.raw_input_contents[0])
        target.refused(INVALID, "ModelInfer", request)


@check(65, "gRPC: a value outside of its datatype is INVALID_ARGUMENT")
def _(target: RpcTarget) -> None:
    request = target.request(raw=False, datatype="INT8")
    numbers = [one for one in request.inputs if one.datatype == "INT8"]
    numbers[0].contents.int_contents[0] = 128
    target.refused(INVALID, "ModelInfer", request)


@check(66, "gRPC: what is no message of the protocol is INVALID_ARGUMENT")
def _(target: RpcTarget) -> None:
    for data in (b"\xff", b"\x0a\xff", b"\x0a\x02\xff\xfe"):
        refusal(INVALID, lambda data=data: target.send(f"{SERVICE}ModelInfer", data))


@check(67, "gRPC: an unknown method is UNIMPLEMENTED")
def _(target: RpcTarget) -> None:
    for path in (f"{SERVICE}NoSuch", "/no.such.Service/ModelInfer", "/"):
        refusal(UNIMPLEMENTED, lambda path=path: target.send(path, b""))


@check(68, "gRPC: unknown parameters are ignored")
def _(target: RpcTarget) -> None:
    request = target.request()
    request.parameters["no-such"].string_param = "x"
    request.inputs[0].parameters["no-such"].int64_param = 7
    assert target.infer(request) == target.infer(target.request())


@check(69, "gRPC: an input sent twice is INVALID_ARGUMENT")
def _(target: RpcTarget) -> None:
    request = target.request()
    request.inputs.append(request.inputs[0])
    request.raw_input_contents.append(request.raw_input_contents[0])
    target.refused(INVALID, "ModelInfer", request)


@check(70, "gRPC: compressed messages are taken, by gzip and deflate")
def _(target: RpcTarget) -> None:
    wanted = target.infer(target.request())
    for how in (grpc.Compression.Gzip, grpc.Compression.Deflate):
        assert target.infer(target.request(), compression=how) == wanted
