"""A deployed model by its protocol: the checks of the standard, rows with names, page, gRPC."""

import json
import math

import grpc
import pytest
from tests.e2e import specs
from tests.e2e.served import address, ask, ports
from tests.e2e.served import served as served  # noqa: PLC0414 - a fixture
from tests.e2e.world import World, settled
from tests.oip.__main__ import rpc_target_of, target_of
from tests.oip.every import CHECKS
from tests.oip.rpc_checks import RPC_CHECKS


def test_every_check_of_the_protocol_holds_through_the_service(served: World) -> None:
    target = target_of(f"http://{address(served)}:80", "web", None, None)
    failed = {}
    for check in CHECKS:
        try:
            check.run(target)
        except AssertionError as error:
            failed[check.label] = str(error)
    assert failed == {}


def test_rows_by_name_and_what_the_package_tells(served: World) -> None:
    status, text = ask(served, "GET", "/v1/model")
    model = json.loads(text)
    assert status == 200
    assert model["metrics"], "the card of the package"
    status, text = ask(served, "POST", "/v1/predict", model["examples"])
    assert status == 200, text
    answer = json.loads(text)
    assert len(answer["predictions"]) == len(model["examples"])
    assert set(answer["predictions"][0]["probabilities"]) == set(model["labels"])
    assert answer["model_digest"] == model["digest"]
    document = json.loads(ask(served, "GET", "/openapi.json")[1])
    row = document["components"]["schemas"]["Row"]["properties"]
    assert list(row) == [column["name"] for column in model["columns"]]


def test_what_features_add_is_told_where_it_is_enabled(served: World) -> None:
    rows = json.loads(ask(served, "GET", "/v1/model")[1])["examples"]
    body = {"rows": rows, "explain": True}
    status, text = ask(served, "POST", "/v1/predict", body)
    assert status == 400
    assert b"spec.explain" in text
    served.apply("ModelDeployment", "web", specs.model_deployment("one", explain="Enabled"))
    served.wait(
        "ModelDeployment",
        "web",
        lambda resource: settled(resource) and ask(served, "POST", "/v1/predict", body)[0] == 200,
    )
    answer = json.loads(ask(served, "POST", "/v1/predict", body)[1])
    assert answer["explanation"]["method"] == "exact"
    for one in answer["predictions"]:
        chance = one["probabilities"][answer["explanation"]["of"]]
        score = answer["explanation"]["base"] + sum(one["contributions"].values())
        assert 1 / (1 + math.exp(-score)) == pytest.approx(chance)


def test_the_page_goes_and_grpc_comes_with_a_new_version(served: World) -> None:
    assert b"page.js" in ask(served, "GET", "/")[1]
    changed = specs.model_deployment("one", page="Disabled", grpc="Enabled")
    served.apply("ModelDeployment", "web", changed)
    served.wait(
        "ModelDeployment",
        "web",
        lambda body: settled(body) and ask(served, "GET", "/")[0] == 404,
    )
    assert ask(served, "GET", "/v1/stats")[0] == 200
    over = rpc_target_of(
        f"{address(served)}:9000", target_of(f"http://{address(served)}:80", "web", None, None)
    )
    failed = {}
    with over.channel:
        grpc.channel_ready_future(over.channel).result(timeout=30)
        for check in RPC_CHECKS:
            try:
                check.run(over)
            except AssertionError as error:
                failed[check.label] = str(error)
    assert failed == {}
    served.apply("ModelDeployment", "web", specs.model_deployment("one", page="Disabled"))
    served.wait("ModelDeployment", "web", lambda _: ports(served) == ["http"])
