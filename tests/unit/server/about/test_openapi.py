"""The OpenAPI document: valid, about this model, and true: what it says is what is answered."""

import json
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from jsonschema import Draft202012Validator
from openapi_spec_validator import validate
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import content_type_conformance, status_code_conformance
from tests.unit.server.servers import Server

EXAMPLES = 25


@pytest.fixture(scope="module")
def document(named: Server) -> dict[str, Any]:
    reply = named.get("/openapi.json")
    assert reply.status == 200
    found: dict[str, Any] = reply.json
    return found


def test_it_is_valid(document: dict[str, Any]) -> None:
    assert document["openapi"] == "3.1.0"
    validate(document)


@pytest.mark.parametrize("model", ["logistic", "texts", "regression"])
def test_it_is_valid_for_other_models(request: pytest.FixtureRequest, model: str) -> None:
    validate(request.getfixturevalue(model).get("/openapi.json").json)


def test_it_has_the_models_columns_and_types(document: dict[str, Any]) -> None:
    row = document["components"]["schemas"]["Row"]
    assert list(row["properties"]) == ["price", "demand", "day", "peak"]
    assert row["properties"]["day"]["type"] == ["integer", "null"]
    assert row["additionalProperties"] is False


def resolved(document: dict[str, Any], name: str) -> Draft202012Validator:
    return Draft202012Validator({**document, "$ref": f"#/components/schemas/{name}"})


def test_its_examples_fit_its_schemas_and_are_answered_as_it_says(
    named: Server, document: dict[str, Any]
) -> None:
    content = document["paths"]["/v1/predict"]["post"]["requestBody"]["content"]
    rows = content["application/json"]["examples"]["rows"]["value"]
    resolved(document, "Rows").validate(rows)
    reply = named.request("POST", "/v1/predict", rows)
    assert reply.status == 200
    resolved(document, "Predictions").validate(reply.json)
    sent = {"Content-Type": "text/csv"}
    by_csv = named.request("POST", "/v1/predict", content["text/csv"]["example"].encode(), sent)
    assert by_csv.json["predictions"] == reply.json["predictions"]


@pytest.mark.parametrize("model", ["named", "logistic", "texts", "regression"])
def test_the_first_request_of_each_model_is_answered(
    request: pytest.FixtureRequest, model: str
) -> None:
    """Also of one that has no examples: its rows are of zeros, which it may refuse in words."""
    server = request.getfixturevalue(model)
    document = server.get("/openapi.json").json
    infer = document["paths"]["/v2/models/power/infer"]["post"]
    first = infer["requestBody"]["content"]["application/json"]["examples"]["first"]["value"]
    resolved(document, "InferRequest").validate(first)
    reply = server.infer(first)
    assert reply.status == 200 or "unknown categories" in reply.json["error"]


def test_what_is_got_fits_its_schema(named: Server, document: dict[str, Any]) -> None:
    for path, item in document["paths"].items():
        if "get" in item:
            reply = named.get(path)
            assert reply.status == 200
            content = item["get"]["responses"]["200"]["content"]["application/json"]
            Draft202012Validator({**document, **content["schema"]}).validate(reply.json)


CHECKS = [not_a_server_error, status_code_conformance, content_type_conformance]


@pytest.mark.parametrize("mode", list(GenerationMode), ids=str)
@pytest.mark.parametrize("model", ["named", "texts"])
def test_requests_made_from_it_never_find_a_fault(
    request: pytest.FixtureRequest, model: str, mode: GenerationMode
) -> None:
    """schemathesis makes requests that fit the document, and such as do not."""
    server = request.getfixturevalue(model)
    schema = schemathesis.openapi.from_dict(server.get("/openapi.json").json)
    seen: set[int] = set()
    for found in schema.get_all_operations():
        operation = found.ok()
        if operation.method != "post" and mode is GenerationMode.NEGATIVE:
            continue  # there is nothing in it that could be wrong
        _try_out(operation, mode, f"http://127.0.0.1:{server.port}", seen)
    assert {GenerationMode.POSITIVE: 200, GenerationMode.NEGATIVE: 400}[mode] in seen


def _try_out(operation: Any, mode: GenerationMode, url: str, seen: set[int]) -> None:
    @settings(
        max_examples=EXAMPLES,
        deadline=None,
        derandomize=True,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(case=operation.as_strategy(generation_mode=mode))
    def once(case: Any) -> None:
        # A client that waits for a thousandth of a second is rightly told 503.
        (case.headers or {}).pop("X-Tidemill-Timeout-Ms", None)
        response = case.call(base_url=url)
        seen.add(response.status_code)
        case.validate_response(response, checks=CHECKS)
        if response.status_code >= 400:
            assert list(json.loads(response.content)) == ["error"]

    once()
