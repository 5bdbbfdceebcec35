"""What the Open Inference Protocol asks of any server over REST, with tensors as JSON."""

import json
import math

from tests.oip.table import changed, check, plain, refused
from tests.oip.target import STORED, Target


@check(1, "live and ready answer 200")
def _(target: Target) -> None:
    assert target.get("/v2/health/live").status == 200
    assert target.get("/v2/health/ready").status == 200


@check(2, "live and ready have JSON bodies")
def _(target: Target) -> None:
    assert isinstance(target.get("/v2/health/live").json, dict)
    assert isinstance(target.get("/v2/health/ready").json, dict)


@check(3, "GET /v2 describes the server, without a redirect")
def _(target: Target) -> None:
    reply = target.get("/v2")
    assert reply.status == 200
    assert {"name", "version", "extensions"} <= set(reply.json)


@check(4, "the model is ready, with and without its version")
def _(target: Target) -> None:
    for path in (target.path, target.versioned):
        assert target.get(f"{path}/ready").status == 200


@check(5, "an unknown model is 404")
def _(target: Target) -> None:
    for path in ("", "/ready"):
        refused(target.get(f"/v2/models/no-such-model{path}"), 404)
    refused(target.send("POST", "/v2/models/no-such-model/infer", b"{}"), 404)


@check(6, "the model's metadata has its inputs and outputs")
def _(target: Target) -> None:
    found = target.get(target.path).json
    assert found["name"] == target.model
    assert found["platform"]
    for tensor in (*found["inputs"], *found["outputs"]):
        assert {"name", "datatype", "shape"} <= set(tensor)
    assert found["inputs"]
    assert found["outputs"]


@check(7, "an unknown version is 404")
def _(target: Target) -> None:
    for path in ("", "/ready"):
        refused(target.get(f"{target.path}/versions/no-such{path}"), 404)
    refused(target.send("POST", f"{target.path}/versions/no-such/infer", b"{}"), 404)


@check(8, "data is taken flat")
def _(target: Target) -> None:
    plain(target)


@check(9, "data is taken nested, with the same answer")
def _(target: Target) -> None:
    request = target.request()
    for tensor in request["inputs"]:
        width = math.prod(tensor["shape"]) // tensor["shape"][0]
        values = tensor["data"]
        tensor["shape"] = [tensor["shape"][0], width]
        tensor["data"] = [values[at : at + width] for at in range(0, len(values), width)]
    assert target.answered(target.infer(request)) == plain(target)


@check(10, "the id comes back, and none where none was sent")
def _(target: Target) -> None:
    assert target.infer({**target.request(), "id": "a-7"}).json["id"] == "a-7"
    without = target.infer(target.request())
    assert without.status == 200
    assert without.json.get("id") != ""


@check(11, "a body that is not JSON is 400")
def _(target: Target) -> None:
    for body in (b"", b"{", b'{"inputs": [NaN]}', b"[" * 5000):
        refused(target.infer(body))


@check(12, "a request without inputs is 400")
def _(target: Target) -> None:
    for body in ({}, {"inputs": []}, {"inputs": None}, {"inputs": 7}, []):
        refused(target.infer(body))


@check(13, "a shape that is not the data's is 400")
def _(target: Target) -> None:
    data = target.inputs[0]["data"]
    refused(target.infer(changed(target, data=[*data, data[0]])))
    refused(target.infer(changed(target, data=data[:-1])))
    refused(target.infer(changed(target, data=[])))


@check(14, "an unknown datatype is 400")
def _(target: Target) -> None:
    for datatype in ("FLOAT", "fp64", "", None, 7, []):
        refused(target.infer(changed(target, datatype=datatype)))


@check(15, "a wrong number of features is 400")
def _(target: Target) -> None:
    request = target.request()
    if len(request["inputs"]) > 1:
        request["inputs"].pop()
    else:
        tensor = request["inputs"][0]
        rows, width = tensor["shape"]
        tensor["shape"], tensor["data"] = [rows, width + 1], tensor["data"] + [0] * rows
    refused(target.infer(request))


@check(16, "an unknown output is 400")
def _(target: Target) -> None:
    refused(target.infer({**target.request(), "outputs": [{"name": "no-such-output"}]}))


@check(17, "texts for numbers are 400")
def _(target: Target) -> None:
    values = ["a"] * len(target.inputs[0]["data"])
    refused(target.infer(changed(target, datatype="BYTES", data=values)))
    refused(target.infer(changed(target, data=values)))


@check(18, "a negative or odd shape is 400")
def _(target: Target) -> None:
    for shape in ([-1], [-2, 1], [2.5], ["2"], "2", None, [True]):
        refused(target.infer(changed(target, shape=shape)))


@check(27, "an answer names the model, and its version")
def _(target: Target) -> None:
    found = target.infer(target.request()).json
    assert found["model_name"] == target.model
    assert found["model_version"] == target.version


@check(28, "of the outputs those asked for are answered, in the order asked")
def _(target: Target) -> None:
    names = [output["name"] for output in target.get(target.path).json["outputs"]]
    for wanted in (names[:1], names[::-1]):
        asked = {**target.request(), "outputs": [{"name": name} for name in wanted]}
        assert [output["name"] for output in target.infer(asked).json["outputs"]] == wanted


@check(29, "outputs have the datatypes of the metadata, and as many values as their shape")
def _(target: Target) -> None:
    told = {output["name"]: output for output in target.get(target.path).json["outputs"]}
    for name, output in plain(target).items():
        assert output["datatype"] == told[name]["datatype"]
        assert math.prod(output["shape"]) == len(output["data"])
        assert output["shape"][0] == 2
        assert len(output["shape"]) == len(told[name]["shape"])


@check(30, "the version's own paths answer the same")
def _(target: Target) -> None:
    assert target.get(target.versioned).json == target.get(target.path).json
    body = json.dumps(target.request()).encode()
    reply = target.send("POST", f"{target.versioned}/infer", body)
    assert target.answered(reply) == plain(target)


@check(34, "every datatype of numbers means the same number, as JSON")
def _(target: Target) -> None:
    for datatype in STORED:
        if datatype in ("BOOL", "FP16"):
            continue
        request = target.request()
        for tensor in request["inputs"]:
            tensor["datatype"] = datatype
            tensor["data"] = [int(value) for value in tensor["data"]]
        assert target.answered(target.infer(request)) == plain(target), datatype


@check(35, "FP16 as JSON and BF16 are 400, in words")
def _(target: Target) -> None:
    for datatype in ("FP16", "BF16"):
        refused(target.infer(changed(target, datatype=datatype)))


@check(36, "a value outside of its datatype is 400")
def _(target: Target) -> None:
    values = target.inputs[0]["data"]
    for datatype, value in (("UINT8", 256), ("INT8", -129), ("INT64", 1 << 63), ("INT32", 0.5)):
        refused(target.infer(changed(target, datatype=datatype, data=[value, *values[1:]])))


@check(43, "a wrong method is 405, and Allow names the right one")
def _(target: Target) -> None:
    for method, path, allowed in (
        ("GET", f"{target.path}/infer", "POST"),
        ("POST", "/v2", "GET"),
        ("DELETE", target.path, "GET"),
    ):
        reply = target.send(method, path)
        refused(reply, 405)
        assert allowed in reply.headers.get("allow", "")


@check(44, "unknown parameters and fields are ignored")
def _(target: Target) -> None:
    request = target.request()
    request["parameters"] = {"priority": 3, "sequence_id": "s", "a": {"b": [1]}}
    request["something"] = ["else"]
    request["inputs"][0]["parameters"] = {"content_type": "np"}
    assert target.answered(target.infer(request)) == plain(target)


@check(45, "an input sent twice is 400")
def _(target: Target) -> None:
    request = target.request()
    request["inputs"].append(request["inputs"][0])
    refused(target.infer(request))


@check(46, "invalid UTF-8 is 400")
def _(target: Target) -> None:
    body = json.dumps(target.request()).encode()
    refused(target.infer(body.replace(b'"inputs"', b'"\xff\xfe": 1, "inputs"')))


@check(47, "no rows are 400, not a fault")
def _(target: Target) -> None:
    request = target.request()
    for tensor in request["inputs"]:
        tensor["shape"][0], tensor["data"] = 0, []
    refused(target.infer(request))


@check(48, "rows keep their order, and one alone has the same answer")
def _(target: Target) -> None:
    request = target.request()
    for tensor in request["inputs"]:
        width = len(tensor["data"]) // 2
        tensor["shape"][0], tensor["data"] = 1, tensor["data"][width:]
    last = target.answered(target.infer(request))
    for name, output in plain(target).items():
        half = len(output["data"]) // 2
        for value, expected in zip(last[name]["data"], output["data"][half:], strict=True):
            # A sum over more rows may be rounded elsewhere in its last digit.
            close = isinstance(value, float) and math.isclose(value, expected, rel_tol=1e-9)
            assert value == expected or close
