"""`/v1/model` and `/v1/stats`, and a card that is not as it should be."""

import json
from pathlib import Path
from typing import cast

import pytest
from tests.unit.server import packages
from tests.unit.server.bodies import came
from tests.unit.server.servers import Server
from tests.unit.server.test_open_inference_protocol import request

from tidemill_server.about import openapi
from tidemill_server.about.model import describe
from tidemill_server.accounts import Accounts
from tidemill_server.answers import json_answer
from tidemill_server.app import Application
from tidemill_server.batching.batcher import Batcher
from tidemill_server.ids import PredictionIds
from tidemill_server.inference import Inference
from tidemill_server.lifecycle.state import Served, State
from tidemill_server.metrics.registry import Metrics
from tidemill_server.package.card import CARD, MAX_BYTES, read_card
from tidemill_server.package.signature import parse_signature
from tidemill_server.protocol.infer import Stamp
from tidemill_server.rest.request import Request
from tidemill_server.settings import Limits


def test_the_model_is_described(named: Server) -> None:
    found = named.get("/v1/model").json
    assert [column["name"] for column in found["columns"]] == ["price", "demand", "day", "peak"]
    assert found["labels"] == ["DOWN", "UP"]
    assert found["metrics"] == [{"name": "accuracy", "value": 0.91, "low": 0.9, "high": 0.92}]
    assert found["rowsHeldOut"] == 80
    assert len(found["examples"]) == 3
    assert type(found["examples"][0]["day"]) is int
    assert type(found["examples"][0]["peak"]) is bool


def test_a_package_without_a_card_is_described_by_its_signature(logistic: Server) -> None:
    found = logistic.get("/v1/model").json
    assert "metrics" not in found
    assert found["examples"] == [{"price": 0.0, "demand": 0.0, "day": 0, "peak": False}]


def test_the_counts_grow(logistic: Server) -> None:
    before = logistic.get("/v1/stats").json
    logistic.infer(request())
    logistic.infer(b"{")
    after = logistic.get("/v1/stats").json
    assert after["requests"]["ok"] == before["requests"]["ok"] + 1
    assert after["requests"]["client_error"] == before["requests"]["client_error"] + 1
    assert after["rows"] == before["rows"] + 1
    assert after["seconds"]["buckets"][-1]["count"] == after["requests"]["ok"]


@pytest.mark.parametrize(
    "text",
    ["", "{", "[]", "7", '{"format": "other"}', "[" * 100_000, " " * (MAX_BYTES + 1)],
    ids=["empty", "cut", "list", "number", "format", "deep", "large"],
)
def test_a_card_that_cannot_be_used_is_none(tmp_path: Path, text: str) -> None:
    (tmp_path / CARD).write_text(text)
    assert read_card(tmp_path) == {}


def test_numbers_that_json_does_not_have_are_left_out() -> None:
    huge = 10**30
    examples = [[huge, float("inf"), 10**400, True], [1.0, 2.0, 3, False]]
    told = {**packages.signature(packages.labels("INT64")), "examples": examples}
    odd = {"name": "a", "value": 0.5, "low": "x", "high": huge}
    metrics = [odd, {"name": "b", "value": huge}, {"name": "c", "value": float("inf")}]
    card = {"metrics": metrics, "data": {"rowsHeldOut": huge}}
    served = Served(parse_signature(told), cast("Batcher", None), card=card)
    stamp = Stamp("m", "1", "sha256:0")
    found = json.loads(json_answer(describe(stamp, served)).body)
    assert found["metrics"] == [{"name": "a", "value": 0.5}]
    assert "rowsHeldOut" not in found
    nothing = {"price": None, "demand": None, "day": None, "peak": True}
    assert found["examples"][0] == nothing
    assert json_answer(openapi.document(stamp, served, Limits())).status == 200


class Broken(Metrics):
    """Cannot be told."""

    def render(self) -> bytes:
        raise OverflowError


async def test_a_page_that_fails_is_the_protocols_error() -> None:
    stamp = Stamp("m", "1", "sha256:0")
    inference, metrics = Inference(stamp, Limits()), Broken()
    accounts = Accounts(metrics)
    app = Application(State(), inference, metrics=metrics, ids=PredictionIds(), accounts=accounts)
    answer = await app.answer(Request("GET", "/metrics", [], came(b""), kept=True))
    assert answer.status == 500
    assert json.loads(answer.body) == {"error": "the server failed; its log says why"}


def test_no_card_is_none(tmp_path: Path) -> None:
    assert read_card(tmp_path) == {}


def test_a_card_is_read(tmp_path: Path) -> None:
    card = {"format": "tidemill.dev/card/v1", "metrics": []}
    (tmp_path / CARD).write_text(json.dumps(card))
    assert read_card(tmp_path) == card
