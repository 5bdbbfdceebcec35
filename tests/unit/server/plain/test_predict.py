"""`POST /v1/predict`: rows by name, JSON or CSV, and the same numbers as by tensors."""

import gzip
import json
from typing import Any

import pytest
from tests.unit.server.servers import Reply, Server
from tests.unit.server.test_open_inference_protocol import refused, request

ROW = {"price": 0.5, "demand": 1.5, "day": 2, "peak": True}
CSV = "price,demand,day,peak\n0.5,1.5,2,true\n"


def predict(server: Server, body: Any, kind: str | None = "application/json") -> Reply:
    data = body.encode() if isinstance(body, str) else body
    return server.request("POST", "/v1/predict", data, {"Content-Type": kind} if kind else {})


def changed(**values: Any) -> list[dict[str, Any]]:
    return [{**ROW, **values}]


def predictions(reply: Reply) -> list[dict[str, Any]]:
    assert reply.status == 200, reply.body
    found: list[dict[str, Any]] = reply.json["predictions"]
    return found


def test_rows_have_the_labels_and_probabilities_of_the_tensors(logistic: Server) -> None:
    outputs = {o["name"]: o["data"] for o in logistic.infer(request()).json["outputs"]}
    (found,) = predictions(predict(logistic, [ROW]))
    assert found["label"] == outputs["predict"][0]
    assert list(found["probabilities"].values()) == outputs["predict_proba"]


def test_all_forms_of_the_same_rows_are_answered_alike(logistic: Server) -> None:
    expected = predictions(predict(logistic, [ROW, ROW]))
    again = {name: ROW[name] for name in reversed(ROW)}
    twice = CSV + "0.5,1.5,2,true\n"
    for body, kind in (
        ({"rows": [ROW, ROW]}, "application/json"),
        ([ROW, again], "application/json; charset=utf-8"),
        ([ROW, ROW], None),
        ([ROW, ROW], "application/x-www-form-urlencoded"),
        (twice, "text/csv"),
        ("\ufeff" + twice.replace("\n", "\r\n"), "text/csv; charset=utf-8; header=present"),
        ('"peak","price","day","demand"\nTRUE, 5e-1 ,2,1.5\n1,.5,+2,1.50\n\n', "text/csv"),
    ):
        assert predictions(predict(logistic, body, kind)) == expected, (body, kind)


def test_an_answer_says_which_model_and_which_prediction(logistic: Server) -> None:
    reply = predict(logistic, [ROW])
    document = reply.json
    assert document["model_name"] == reply.headers["x-tidemill-model-name"] == "power"
    assert document["model_version"] == reply.headers["x-tidemill-model-version"]
    assert document["model_digest"] == reply.headers["x-tidemill-model-digest"]
    assert document["prediction_id"] == reply.headers["x-tidemill-prediction-id"]


def test_labels_that_are_texts_name_the_probabilities(named: Server) -> None:
    (found,) = predictions(predict(named, [ROW]))
    assert found["label"] == "UP"
    assert found["probabilities"].keys() == {"DOWN", "UP"}
    assert found["probabilities"]["UP"] > found["probabilities"]["DOWN"]


def test_missing_values_are_null_and_an_empty_cell(named: Server) -> None:
    rows = predictions(predict(named, changed(demand=None, peak=None)))
    assert predictions(predict(named, "price,demand,day,peak\n0.5,,2,\n", "text/csv")) == rows


def test_regressions_have_values(regression: Server) -> None:
    (found,) = predictions(predict(regression, [ROW]))
    assert found == {"value": pytest.approx(1.5 * 0.5 - 2 * 1.5 + 0.25 * 2 + 3)}


def test_whole_numbers_as_floats_and_truths_as_digits(logistic: Server) -> None:
    expected = predictions(predict(logistic, [ROW]))
    assert predictions(predict(logistic, changed(day=2.0, peak=1))) == expected


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"price": "x"}, "row 1, column 'price': the text 'x' is not a number"),
        ({"price": True}, "row 1, column 'price': true is not a number"),
        ({"price": None}, "row 1, column 'price': the value is missing"),
        ({"price": []}, "row 1, column 'price': a list is not a number"),
        ({"price": {}}, "row 1, column 'price': an object is not a number"),
        ({"day": 2.5}, "row 1, column 'day': 2.5 is not a whole number"),
        ({"day": True}, "row 1, column 'day': true is not a whole number"),
        ({"day": 1 << 63}, "row 1, column 'day': 9223372036854775808 is not a whole number"),
        ({"day": 1e300}, "row 1, column 'day': 1e+300 is not a whole number"),
        ({"peak": "yes"}, "row 1, column 'peak': the text 'yes' is not true or false"),
        ({"peak": 2}, "row 1, column 'peak': 2 is not true or false"),
        ({"price": "y" * 9999}, "row 1, column 'price': the text 'yyyy"),
    ],
)
def test_a_value_that_a_column_cannot_hold_is_named(
    logistic: Server, values: dict[str, Any], said: str
) -> None:
    message = refused(predict(logistic, changed(**values)))
    assert message.startswith(said)
    assert len(message) < 300


def test_the_row_is_named(logistic: Server) -> None:
    message = refused(predict(logistic, [ROW, ROW, {**ROW, "day": "x"}]))
    assert message.startswith("row 3, column 'day'")
    message = refused(predict(logistic, CSV + "1,2,3,0\n1,2,x,0\n", "text/csv"))
    assert message.startswith("row 3, column 'day': the text 'x'")


def test_an_unknown_column_is_told_with_the_nearest(logistic: Server) -> None:
    row = {("pirce" if name == "price" else name): value for name, value in ROW.items()}
    message = refused(predict(logistic, [row]))
    assert "row 1: the model has no column 'pirce' (meant: 'price'?)" in message
    assert "'Demand' (meant: 'demand'?)" in refused(predict(logistic, [{"Demand": 1}]))
    assert "header" in refused(predict(logistic, CSV.replace("price", "cost"), "text/csv"))


def test_missing_columns_are_told(logistic: Server) -> None:
    message = refused(predict(logistic, [{"price": 0.5}]))
    assert message == "row 1 lacks the columns 'demand', 'day', 'peak'"
    message = refused(predict(logistic, [ROW, {"price": 0.5, "day": 1, "peak": True}]))
    assert message == "row 2 lacks the column 'demand'"


@pytest.mark.parametrize(
    "body",
    [b"", b"{", b"7", b"null", b'"rows"', b"{}", b"[]", b'{"rows": []}', b'{"rows": {}}', b"[7]",
     b"[[1,2,3,4]]", b"[null]", b'{"rows": [{}], "more": 1}', b'{"instances": []}', b"[NaN]",
     b"\xff", b"[{}]", b"[" * 3000],
)  # fmt: skip
def test_what_are_no_rows_is_400(logistic: Server, body: bytes) -> None:
    refused(predict(logistic, body))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "no header"),
        ("\n", "no header"),
        ("price,demand,day,peak\n", "no rows"),
        ("price,price,day,peak\n1,2,3,0\n", "lacks the column 'demand'"),
        ("price,demand,day,peak,price\n1,2,3,0,1\n", "'price' twice"),
        ("price,demand,day,peak\n1,2,3\n", "row 1 of the CSV has 3 cells, its header 4"),
        ("price,demand,day,peak\n1,2,3,0,5\n", "5 cells"),
        ('price,demand,day,peak\n"1,2,3,0\n', "cannot be read"),
        ("price,demand,day,peak\nnan,2,3,0\n", "column 'price'"),
        ("price,demand,day,peak\ninf,2,3,0\n", "column 'price'"),
        ("price,demand,day,peak\n1_0,2,3,0\n", "column 'price'"),
        ("price,demand,day,peak\n1e999,2,3,0\n", "column 'price'"),
        ("price,demand,day,peak\n1,2,3.0,0\n", "column 'day'"),
        (f"price,demand,day,peak\n1,2,{'9' * 5000},0\n", "column 'day'"),
        (f"price,demand,day,peak\n{'x' * 200_000},2,3,0\n", "cannot be read: line 2"),
        ("price;demand;day;peak\n1;2;3;0\n", "no column 'price;demand;day;peak'"),
    ],
)
def test_a_csv_that_cannot_be_used_is_400(logistic: Server, text: str, said: str) -> None:
    assert said in refused(predict(logistic, text, "text/csv"))


def test_a_csv_that_is_no_utf8_is_400(logistic: Server) -> None:
    assert "UTF-8" in refused(predict(logistic, CSV.encode("utf-16"), "text/csv"))


@pytest.mark.parametrize(
    "kind", ["text/plain", "application/xml", "multipart/form-data", "x" * 500]
)
def test_another_content_type_is_415(logistic: Server, kind: str) -> None:
    assert "application/json or text/csv" in refused(predict(logistic, [ROW], kind), 415)


def test_texts_are_texts(texts: Server) -> None:
    assert predictions(predict(texts, [{"price": 0.1, "site": "north"}]))[0]["label"] == 1
    message = refused(predict(texts, [{"price": 0.1, "site": 7}]))
    assert message == "row 1, column 'site': 7 is not a text"


def test_compressed_rows_and_a_compressed_answer(logistic: Server) -> None:
    rows = [ROW] * 500
    headers = {"Content-Encoding": "gzip", "Accept-Encoding": "br;q=1, gzip;q=0.5, *"}
    body = gzip.compress(json.dumps(rows).encode())
    reply = logistic.request("POST", "/v1/predict", body, headers)
    assert reply.headers["content-encoding"] == "gzip"
    assert "accept-encoding" in reply.headers["vary"]
    found = json.loads(gzip.decompress(reply.body))["predictions"]
    assert found == predictions(predict(logistic, rows))


@pytest.mark.parametrize("accepted", ["", "identity", "br", "gzip;q=0", "gzip; q=0.000"])
def test_an_answer_is_plain_for_who_takes_nothing_else(logistic: Server, accepted: str) -> None:
    headers = {"Accept-Encoding": accepted}
    reply = logistic.request("POST", "/v1/predict", [ROW] * 500, headers)
    assert "content-encoding" not in reply.headers
    assert len(predictions(reply)) == 500


def test_get_is_405(logistic: Server) -> None:
    reply = logistic.get("/v1/predict")
    refused(reply, 405)
    assert reply.headers["allow"] == "POST"
