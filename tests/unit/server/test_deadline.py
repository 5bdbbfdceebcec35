"""How long a client waits: what is queued longer is refused in time, and never computed."""

import asyncio
import json
import threading
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from tests.unit.server.bodies import came
from tests.unit.server.protocol.test_fuzz import SIGNATURE
from tests.unit.server.raw import PATH, exchange, head, refusal
from tests.unit.server.servers import Server
from tests.unit.server.test_open_inference_protocol import refused, request

from tidemill_server.batching.batcher import Batcher, Pace
from tidemill_server.inference import Call, Inference
from tidemill_server.lifecycle.state import Served
from tidemill_server.package.signature import parse_signature
from tidemill_server.protocol.errors import TooLate
from tidemill_server.protocol.infer import Stamp
from tidemill_server.settings import Limits


def test_a_request_in_time_is_answered(logistic: Server) -> None:
    assert logistic.infer(request(), X_Tidemill_Timeout_Ms="60000").status == 200


def test_a_body_that_comes_later_than_that_is_503_with_retry_after(logistic: Server) -> None:
    before = logistic.get("/v1/stats").json["requests"]["expired"]
    lines = ("content-length: 9", "x-tidemill-timeout-ms: 50", "connection: close")
    received = exchange(logistic, head(*lines), b"{")
    assert refusal(received).status == 503
    assert b"retry-after: 1" in received
    assert "0.05 s" in refusal(received).error
    assert logistic.get("/v1/stats").json["requests"]["expired"] == before + 1


class Busy:
    """A model that answers when it is let go, and remembers what it was asked."""

    def __init__(self) -> None:
        self.began, self.free = threading.Event(), threading.Event()
        self.asked: list[float] = []

    def predict(self, matrix: np.ndarray, wanted: Iterable[str]) -> dict[str, np.ndarray]:
        self.began.set()
        assert self.free.wait(60)
        self.asked += matrix[:, 0].tolist()
        return dict.fromkeys(wanted, matrix[:, 0])


async def test_what_waits_behind_a_long_batch_gives_up_and_is_never_computed() -> None:
    signature = parse_signature({**SIGNATURE, "inputs": SIGNATURE["inputs"][:1]})
    model = Busy()
    with ThreadPoolExecutor(1) as thread:
        batcher = Batcher(model, Pace(1, 1), max_rows=10, thread=thread)
        inference = Inference(Stamp("m", "1", "sha256:0"), Limits())
        served = Served(signature, batcher)
        first = asyncio.create_task(inference.tensors(call(served, 1.0)))
        await asyncio.to_thread(model.began.wait, 60)
        try:
            with pytest.raises(TooLate):
                await inference.tensors(call(served, 2.0, (b"x-tidemill-timeout-ms", b"20")))
            assert inference.in_flight == 1
        finally:
            model.free.set()
        assert (await first).status == 200
        assert (await inference.tensors(call(served, 3.0))).status == 200
    assert model.asked == [1.0, 3.0]


def call(served: Served, value: float, *headers: tuple[bytes, bytes]) -> Call:
    """A request of one row."""
    tensor = {"name": "a", "shape": [1], "datatype": "FP64", "data": [value]}
    return Call(served, headers, came(json.dumps({"inputs": [tensor]}).encode()), "id")


@pytest.mark.parametrize("value", ["0", "-1", "1.5", "x", "", "9" * 30, "3600001"])
def test_a_time_that_is_none_is_400(logistic: Server, value: str) -> None:
    message = refused(logistic.infer(request(), X_Tidemill_Timeout_Ms=value))
    assert "X-Tidemill-Timeout-Ms" in message


def test_the_connection_is_of_use_after_an_answer_in_time(logistic: Server) -> None:
    connection = logistic.connect()
    for _ in range(2):
        connection.request("POST", PATH, b"{}", {"x-tidemill-timeout-ms": "9999"})
        answer = connection.getresponse()
        assert answer.status == 400
        assert answer.read()
        assert not answer.will_close
    connection.close()
