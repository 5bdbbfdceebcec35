"""Asks a server by KServe's own client; run by a python that has it. Prints one line of JSON."""

import asyncio
import json
import sys

import numpy as np
from kserve import InferInput, InferRequest
from kserve.inference_client import InferenceRESTClient, RESTConfig
from kserve.protocol.infer_type import RequestedOutput

ROWS = {
    "price": ("FP32", np.array([0.5, -0.5], np.float32)),
    "demand": ("FP64", np.array([1.5, -1.5])),
    "day": ("INT32", np.array([2, 2], np.int32)),
    "peak": ("BOOL", np.array([True, False])),
}


async def ask(url: str, model: str, *, as_bytes: bool) -> dict[str, object]:
    client = InferenceRESTClient(RESTConfig(protocol="v2"))
    inputs = []
    for name, (datatype, values) in ROWS.items():
        one = InferInput(name, [2], datatype)
        one.set_data_from_numpy(values, binary_data=as_bytes)
        inputs.append(one)
    outputs = [
        RequestedOutput(name, {"binary_data": as_bytes}) for name in ("predict", "predict_proba")
    ]
    request = InferRequest(model, inputs, request_outputs=outputs)
    answer = await client.infer(url, request, model_name=model)
    found: dict[str, object] = {
        "live": await client.is_server_live(url),
        "ready": await client.is_server_ready(url),
        "model": await client.is_model_ready(url, model),
    }
    for output in answer.outputs:
        found[output.name] = output.as_numpy().ravel().tolist()
    return found


if __name__ == "__main__":
    url, model, form = sys.argv[1:]
    print(json.dumps(asyncio.run(ask(url, model, as_bytes=form == "binary"))))  # noqa: T201
