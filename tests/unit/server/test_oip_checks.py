"""The checks of the Open Inference Protocol, against a model of numbers and one of text."""

import pytest
from tests.oip.__main__ import rpc_target_of, target_of
from tests.oip.every import CHECKS, Check
from tests.oip.rpc_checks import RPC_CHECKS, RpcCheck
from tests.unit.server.servers import Server

TEXTS = [
    {"name": "price", "shape": [2], "datatype": "FP64", "data": [1.0, 2.0]},
    {"name": "site", "shape": [2], "datatype": "BYTES", "data": ["north", "south"]},
]
OF_NUMBERS = (33, 34)  # these send every input as a number


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.label.replace(" ", "-"))
def test_a_model_of_numbers(logistic: Server, check: Check) -> None:
    check.run(target_of(f"http://127.0.0.1:{logistic.port}", "power", None, None))


@pytest.mark.parametrize(
    "check",
    [check for check in CHECKS if check.number not in OF_NUMBERS],
    ids=lambda check: check.label.replace(" ", "-"),
)
def test_a_model_of_text(texts: Server, check: Check) -> None:
    check.run(target_of(f"http://127.0.0.1:{texts.port}", "power", None, TEXTS))


@pytest.mark.parametrize("check", RPC_CHECKS, ids=lambda check: check.label.replace(" ", "-"))
@pytest.mark.parametrize("model", ["numbers", "texts"])
def test_over_grpc(logistic: Server, texts: Server, model: str, check: RpcCheck) -> None:
    server, inputs = (logistic, None) if model == "numbers" else (texts, TEXTS)
    target = target_of(f"http://127.0.0.1:{server.port}", "power", None, inputs)
    over = rpc_target_of(f"127.0.0.1:{server.grpc}", target)
    with over.channel:
        check.run(over)
