"""What the extension for binary tensors asks, and HTTP of bodies that are compressed."""

import gzip
import json
import zlib

from tests.oip.table import check, plain, refused
from tests.oip.target import HEADER, STORED, Reply, Target, outputs

EXTENSION = "binary_tensor_data"


@check(19, "binary tensors are taken, without a content type")
def _(target: Target) -> None:
    body, headers = target.binary()
    assert target.answered(target.infer(body, headers)) == plain(target)


@check(20, "binary tensors are answered, and their sizes add up")
def _(target: Target) -> None:
    body, headers = target.binary(parameters={"binary_data_output": True})
    reply = target.infer(body, headers)
    assert HEADER.lower() in reply.headers
    found = target.answered(reply)
    for name, output in plain(target).items():
        assert found[name]["data"] == output["data"]


@check(21, "gzip covers JSON and tensors; the header has the length before it")
def _(target: Target) -> None:
    body, headers = target.binary()
    packed = gzip.compress(body)
    reply = target.infer(packed, {**headers, "Content-Encoding": "gzip"})
    assert target.answered(reply) == plain(target)


@check(22, "a binary_data_size beyond the body is 400")
def _(target: Target) -> None:
    body, headers = target.binary()
    refused(target.infer(body[:-1], headers))


@check(23, "a header length beyond the body is 400")
def _(target: Target) -> None:
    body, _ = target.binary()
    for length in (str(len(body) + 1), "0", "-1", "x", "9" * 30):
        refused(target.infer(body, {HEADER: length}))


@check(26, "the binary extension is advertised")
def _(target: Target) -> None:
    assert EXTENSION in target.get("/v2").json["extensions"]


@check(31, "one output as bytes, the other as JSON")
def _(target: Target) -> None:
    names = [output["name"] for output in target.get(target.path).json["outputs"]]
    asked = [{"name": name} for name in names]
    asked[0]["parameters"] = {"binary_data": True}
    reply = target.infer({**target.request(), "outputs": asked})
    assert HEADER.lower() in reply.headers
    found = target.answered(reply)
    assert "binary_data_size" in found[names[0]]["parameters"]
    assert all("parameters" not in found[name] for name in names[1:])
    assert {name: found[name]["data"] for name in names} == {
        name: output["data"] for name, output in plain(target).items()
    }


@check(32, "binary_data false keeps one output JSON where the others are bytes")
def _(target: Target) -> None:
    names = [output["name"] for output in target.get(target.path).json["outputs"]]
    asked = [{"name": name} for name in names]
    asked[0]["parameters"] = {"binary_data": False}
    parameters = {"binary_data_output": True}
    reply = target.infer({**target.request(), "outputs": asked, "parameters": parameters})
    found = target.answered(reply)
    assert "parameters" not in found[names[0]]


@check(33, "every datatype of numbers means the same number, as bytes")
def _(target: Target) -> None:
    for datatype in STORED:
        if datatype == "BOOL":
            continue
        body, headers = target.binary(datatype)
        found = target.answered(target.infer(body, headers))
        assert found == plain(target), datatype


@check(37, "deflate is taken, as zlib writes it")
def _(target: Target) -> None:
    body = zlib.compress(json.dumps(target.request()).encode())
    assert target.answered(target.infer(body, {"Content-Encoding": "deflate"})) == plain(target)


@check(38, "a client that takes gzip understands the answer")
def _(target: Target) -> None:
    reply = target.infer(target.request(), {"Accept-Encoding": "gzip"})
    assert reply.status == 200
    packed = reply.headers.get("content-encoding") == "gzip"
    body = gzip.decompress(reply.body) if packed else reply.body
    found = outputs(Reply(200, {}, body))
    assert found == plain(target)


@check(39, "a compressed body that is cut off is 400")
def _(target: Target) -> None:
    packed = gzip.compress(json.dumps(target.request()).encode())
    refused(target.infer(packed[:-9], {"Content-Encoding": "gzip"}))
    refused(target.infer(b"no gzip", {"Content-Encoding": "gzip"}))


@check(40, "an unknown content encoding is 415")
def _(target: Target) -> None:
    refused(target.infer(b"x", {"Content-Encoding": "unheard-of"}), 415)


@check(41, "bytes that no tensor claims are 400")
def _(target: Target) -> None:
    body, headers = target.binary()
    refused(target.infer(body + b"\0", headers))


@check(42, "bytes of another length than the shape's are 400")
def _(target: Target) -> None:
    body, headers = target.binary()
    length = int(headers[HEADER])
    document = json.loads(body[:length])
    first = document["inputs"][0]
    first["shape"][0] += 1
    head = json.dumps(document).encode()
    refused(target.infer(head + body[length:], {HEADER: str(len(head))}))


@check(49, "both data and bytes for one input are 400")
def _(target: Target) -> None:
    body, headers = target.binary()
    length = int(headers[HEADER])
    document = json.loads(body[:length])
    document["inputs"][0]["data"] = target.inputs[0]["data"]
    head = json.dumps(document).encode()
    refused(target.infer(head + body[length:], {HEADER: str(len(head))}))


@check(50, "one tensor as JSON, the others as bytes")
def _(target: Target) -> None:
    if len(target.inputs) == 1:
        return
    body, headers = target.binary()
    length = int(headers[HEADER])
    document = json.loads(body[:length])
    first = document["inputs"][0]
    tail = body[length + first.pop("parameters")["binary_data_size"] :]
    first["data"] = target.inputs[0]["data"]
    head = json.dumps(document).encode()
    reply = target.infer(head + tail, {HEADER: str(len(head))})
    assert target.answered(reply) == plain(target)
