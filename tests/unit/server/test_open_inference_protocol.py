"""The Open Inference Protocol v2 over REST: what foreign clients rely on, one test each.

The numbers are those of the table of checks in which other servers were compared; `tests/oip` has
that table for any server, here is what is ours: names, words, bounds.
"""

from typing import Any

import pytest
from tests.unit.server.servers import Server

MODEL = "/v2/models/power"
COLUMNS = {"price": [0.5], "demand": [1.5], "day": [2], "peak": [True]}
TYPES = {"price": "FP64", "demand": "FP64", "day": "INT64", "peak": "BOOL"}


def request(**changed: dict[str, Any]) -> dict[str, Any]:
    """One row; `changed` replaces fields of a column's tensor."""
    return {
        "inputs": [
            {
                "name": name,
                "shape": [1],
                "datatype": TYPES[name],
                "data": data,
                **changed.get(name, {}),
            }
            for name, data in COLUMNS.items()
        ]
    }


def matrix(shape: list[int], data: Any, datatype: str = "FP64") -> dict[str, Any]:
    return {"inputs": [{"name": "x", "shape": shape, "datatype": datatype, "data": data}]}


def refused(reply: Any, status: int = 400) -> str:
    assert reply.status == status, reply.body
    assert reply.headers["content-type"] == "application/json"
    assert list(reply.json) == ["error"]
    message = reply.json["error"]
    assert isinstance(message, str)
    assert message
    return message


def test_01_live_and_ready_answer_200(logistic: Server) -> None:
    assert logistic.get("/v2/health/live").status == 200
    assert logistic.get("/v2/health/ready").status == 200


def test_02_live_and_ready_have_json_bodies(logistic: Server) -> None:
    assert logistic.get("/v2/health/live").json == {"live": True}
    assert logistic.get("/v2/health/ready").json == {"ready": True}


@pytest.mark.parametrize("path", ["/v2", "/v2/"])
def test_03_server_metadata_without_redirect(logistic: Server, path: str) -> None:
    reply = logistic.get(path)
    assert reply.status == 200
    assert set(reply.json) == {"name", "version", "extensions"}


def test_04_model_ready_with_and_without_version(logistic: Server) -> None:
    version = logistic.get(MODEL).json["versions"][0]
    for path in (f"{MODEL}/ready", f"{MODEL}/versions/{version}/ready"):
        reply = logistic.get(path)
        assert (reply.status, reply.json) == (200, {"name": "power", "ready": True})


@pytest.mark.parametrize("path", ["", "/ready", "/infer", "/versions/1"])
def test_05_unknown_model_is_404(logistic: Server, path: str) -> None:
    method = "POST" if path == "/infer" else "GET"
    message = refused(logistic.request(method, f"/v2/models/other{path}"), 404)
    assert "'other'" in message


def test_06_model_metadata_describes_inputs_and_outputs(logistic: Server) -> None:
    found = logistic.get(MODEL).json
    assert found["name"] == "power"
    assert found["platform"]
    assert [item["name"] for item in found["inputs"]] == list(COLUMNS)
    assert {item["name"]: item["datatype"] for item in found["inputs"]} == TYPES
    assert found["outputs"] == [
        {"name": "predict", "datatype": "INT64", "shape": [-1]},
        {"name": "predict_proba", "datatype": "FP64", "shape": [-1, 2]},
    ]


@pytest.mark.parametrize("path", ["", "/ready", "/infer"])
def test_07_unknown_version_is_404(logistic: Server, path: str) -> None:
    method = "POST" if path == "/infer" else "GET"
    message = refused(logistic.request(method, f"{MODEL}/versions/nine{path}"), 404)
    assert "'nine'" in message


def test_08_flat_data(logistic: Server) -> None:
    reply = logistic.infer(matrix([2, 4], [0.5, 1.5, 2, 1, -0.5, -1.5, 2, 0]))
    assert reply.json["outputs"][0]["shape"] == [2]
    assert reply.json["outputs"][0]["data"] == [1, 0]


def test_09_nested_data(logistic: Server) -> None:
    reply = logistic.infer(matrix([2, 4], [[0.5, 1.5, 2, 1], [-0.5, -1.5, 2, 0]]))
    assert reply.json["outputs"][0]["data"] == [1, 0]
    columns = request(price={"shape": [1, 1], "data": [[0.5]]})
    assert logistic.infer(columns).json["outputs"][0]["data"] == [1]


def test_10_the_id_comes_back(logistic: Server) -> None:
    assert logistic.infer({"id": "a-7", **request()}).json["id"] == "a-7"
    assert "id" not in logistic.infer(request()).json


@pytest.mark.parametrize(
    "body", [b"", b"{", b"[]", b"7", b'{"inputs": [NaN]}', b"\xff\xfe", b"[" * 5000]
)
def test_11_bad_json_is_400(logistic: Server, body: bytes) -> None:
    refused(logistic.infer(body))


@pytest.mark.parametrize("body", [{}, {"inputs": []}, {"inputs": None}, {"inputs": {"price": 1}}])
def test_12_no_inputs_is_400(logistic: Server, body: Any) -> None:
    assert "inputs" in refused(logistic.infer(body))


@pytest.mark.parametrize(
    ("shape", "data"),
    [
        ([2, 4], [1.0]),
        ([1, 4], [1.0] * 5),
        ([2, 4], [[1.0] * 4]),
        ([2, 4], [[1.0] * 4, [1.0] * 3]),
        ([2, 4], [[1.0] * 4, 1.0]),
        ([1, 4], [[[1.0] * 4]]),
    ],
)
def test_13_shape_that_is_not_the_datas_is_400(
    logistic: Server, shape: list[int], data: Any
) -> None:
    refused(logistic.infer(matrix(shape, data)))


@pytest.mark.parametrize("datatype", ["FLOAT", "fp64", "", None, 7, [], "FP16"])
def test_14_bad_datatype_is_400(logistic: Server, datatype: Any) -> None:
    refused(logistic.infer(request(price={"datatype": datatype})))


def test_15_wrong_number_of_features_is_400(logistic: Server) -> None:
    assert "3 columns" in refused(logistic.infer(matrix([1, 3], [1.0, 2.0, 3.0])))
    refused(logistic.infer(matrix([1, 5], [1.0] * 5)))
    missing = {"inputs": request()["inputs"][1:]}
    assert "'price'" in refused(logistic.infer(missing))
    one_more = {"name": "extra", "shape": [1], "datatype": "FP64", "data": [1.0]}
    assert "'extra'" in refused(logistic.infer({"inputs": [*request()["inputs"], one_more]}))


@pytest.mark.parametrize("outputs", [[{"name": "other"}], ["predict"], {"name": "predict"}, [{}]])
def test_16_unknown_output_is_400(logistic: Server, outputs: Any) -> None:
    refused(logistic.infer({**request(), "outputs": outputs}))


def test_17_text_for_a_number_is_400(logistic: Server) -> None:
    assert "'price'" in refused(
        logistic.infer(request(price={"datatype": "BYTES", "data": ["0.5"]}))
    )
    refused(logistic.infer(request(price={"data": ["0.5"]})))


@pytest.mark.parametrize("shape", [[-1], [-1, 4], [1, -4], [1.0], ["1"], [], None, 1, [True]])
def test_18_negative_or_odd_shape_is_400(logistic: Server, shape: Any) -> None:
    refused(logistic.infer(request(price={"shape": shape})))


def test_19_bytes_that_nothing_describes_are_415(logistic: Server) -> None:
    message = refused(logistic.infer(b"\0", Content_Type="application/octet-stream"), 415)
    assert "Inference-Header-Content-Length" in message


def test_19_a_binary_tensor_without_the_header_is_refused_in_words(logistic: Server) -> None:
    tensor = {"parameters": {"binary_data_size": 8}, "data": None}
    assert "Inference-Header-Content-Length" in refused(logistic.infer(request(price=tensor)))


def test_19_json_needs_no_content_type(logistic: Server) -> None:
    assert logistic.infer(request()).status == 200
    assert logistic.infer(request(), Content_Type="application/json").status == 200


@pytest.mark.parametrize("encoding", ["br", "zstd", "gzip, gzip", "x" * 1000])
def test_21_unknown_compression_is_415_and_says_what_is_known(
    logistic: Server, encoding: str
) -> None:
    reply = logistic.infer(b"\x1f\x8b", Content_Encoding=encoding)
    assert "gzip, deflate" in refused(reply, 415)
    assert reply.headers["accept-encoding"] == "gzip, deflate"


def test_the_classification_extension_is_refused_in_words(logistic: Server) -> None:
    asked = [{"name": "predict", "parameters": {"classification": 2}}]
    assert "/v1/predict" in refused(logistic.infer({**request(), "outputs": asked}))


def test_outputs_are_selected_in_the_order_asked(logistic: Server) -> None:
    both = [{"name": "predict_proba"}, {"name": "predict"}]
    names = [o["name"] for o in logistic.infer({**request(), "outputs": both}).json["outputs"]]
    assert names == ["predict_proba", "predict"]
    one = logistic.infer({**request(), "outputs": [{"name": "predict"}]}).json["outputs"]
    assert [output["name"] for output in one] == ["predict"]
    every = logistic.infer(request()).json["outputs"]
    assert [output["name"] for output in every] == ["predict", "predict_proba"]


def test_unknown_parameters_are_ignored(logistic: Server) -> None:
    asked = {
        **request(price={"parameters": {"content_type": "np", "nested": {"a": [1]}}}),
        "parameters": {"priority": 3, "sequence_id": "s", "timeout": 5, "traceparent": "x"},
        "something": ["else"],
    }
    assert logistic.infer(asked).status == 200


@pytest.mark.parametrize("parameters", [7, "binary_data_size", ["a"]])
def test_odd_parameters_are_no_fault_of_ours(logistic: Server, parameters: Any) -> None:
    assert logistic.infer(request(price={"parameters": parameters})).status == 200


def test_columns_come_in_any_order(logistic: Server) -> None:
    turned = {"inputs": request()["inputs"][::-1]}
    assert logistic.infer(turned).json["outputs"] == logistic.infer(request()).json["outputs"]


def test_a_column_sent_twice_is_400(logistic: Server) -> None:
    inputs = request()["inputs"]
    assert "twice" in refused(logistic.infer({"inputs": [inputs[0], *inputs[:3]]}))
    assert "twice" in refused(logistic.infer({"inputs": [inputs[0], *inputs]}))


def test_columns_of_different_lengths_are_400(logistic: Server) -> None:
    longer = {"shape": [2], "data": [1.0, 2.0]}
    assert "'demand'" in refused(logistic.infer(request(demand=longer)))


def test_no_rows_is_400(logistic: Server) -> None:
    refused(logistic.infer(matrix([0, 4], [])))


@pytest.mark.parametrize(
    ("column", "tensor"),
    [
        ("day", {"datatype": "FP64", "data": [2.5]}),
        ("day", {"datatype": "INT64", "data": [2.0]}),
        ("day", {"datatype": "INT8", "data": [300]}),
        ("day", {"datatype": "UINT8", "data": [-1]}),
        ("day", {"datatype": "INT64", "data": [1 << 63]}),
        ("day", {"datatype": "INT64", "data": [1 << 80]}),
        ("peak", {"datatype": "INT64", "data": [2]}),
        ("peak", {"datatype": "BOOL", "data": [1]}),
        ("price", {"datatype": "FP32", "data": [1e300]}),
        ("price", {"datatype": "FP64", "data": [True]}),
        ("price", {"datatype": "FP64", "data": [{}]}),
        ("price", {"datatype": "FP64", "data": [[0.5]]}),
        ("price", {"datatype": "FP64", "data": "0.5"}),
        ("price", {"datatype": "FP64", "data": [None]}),
        ("price", {"shape": [1, 1, 1]}),
        ("price", {"name": ""}),
        ("price", {"name": 7}),
    ],
)
def test_values_that_a_column_cannot_hold_are_400(
    logistic: Server, column: str, tensor: dict[str, Any]
) -> None:
    refused(logistic.infer(request(**{column: tensor})))


@pytest.mark.parametrize(
    ("column", "tensor"),
    [
        ("day", {"datatype": "FP64", "data": [2.0]}),
        ("day", {"datatype": "UINT8", "data": [2]}),
        ("peak", {"datatype": "INT64", "data": [1]}),
        ("peak", {"datatype": "FP64", "data": [1.0]}),
        ("price", {"datatype": "FP32", "data": [0.5]}),
        ("price", {"datatype": "FP64", "data": [0.5]}),
    ],
)
def test_equal_numbers_of_other_datatypes_give_the_same(
    logistic: Server, column: str, tensor: dict[str, Any]
) -> None:
    reply = logistic.infer(request(**{column: tensor}))
    assert reply.json["outputs"] == logistic.infer(request()).json["outputs"]


def test_null_is_a_missing_number_where_the_model_takes_one(boosted: Server) -> None:
    nothing = request(demand={"data": [None]}, day={"data": [None]}, peak={"data": [None]})
    assert boosted.infer(nothing).status == 200
    rounded = request(demand={"datatype": "FP32", "data": [None]})
    assert boosted.infer(rounded).status == 200
    as_matrix = matrix([1, 4], [0.5, None, None, None])
    assert boosted.infer(as_matrix).json["outputs"] == boosted.infer(nothing).json["outputs"]


def test_labels_that_are_texts_are_bytes(boosted: Server) -> None:
    output = boosted.infer(request()).json["outputs"][0]
    assert (output["datatype"], output["data"]) == ("BYTES", ["UP"])


def _site(value: Any) -> dict[str, Any]:
    price = {"name": "price", "shape": [1], "datatype": "FP64", "data": [0.1]}
    site = {"name": "site", "shape": [1], "datatype": "BYTES", "data": [value]}
    return {"inputs": [price, site]}


def test_texts_and_missing_texts(texts: Server) -> None:
    assert texts.infer(_site("north")).json["outputs"][0]["data"] == [1]
    assert texts.infer(_site("south")).json["outputs"][0]["data"] == [0]
    assert texts.infer(_site(None)).json["outputs"][0]["data"] == [0]


def test_what_the_pipeline_refuses_is_400_in_its_words(texts: Server) -> None:
    assert "unknown categories" in refused(texts.infer(_site("Atlantis")))
    refused(texts.infer(_site(7)))


def test_every_answer_says_which_model_and_which_prediction(logistic: Server) -> None:
    good, bad = logistic.infer(request()), logistic.infer(b"{")
    ids = [reply.headers["x-tidemill-prediction-id"] for reply in (good, bad)]
    assert ids[0] < ids[1]
    assert good.json["parameters"]["prediction_id"] == ids[0]
    for reply in (good, bad, logistic.get("/v2/health/live"), logistic.get("/nothing")):
        assert reply.headers["x-tidemill-model-name"] == "power"
        digest = reply.headers["x-tidemill-model-digest"]
        assert digest.startswith("sha256:")
        assert reply.headers["x-tidemill-model-version"] == digest[7:19]
    assert good.json["model_version"] == digest[7:19]


@pytest.mark.parametrize(
    ("method", "path"),
    [("GET", f"{MODEL}/infer"), ("POST", "/v2"), ("DELETE", MODEL), ("PUT", "/v2/health/live")],
)
def test_wrong_method_is_405(logistic: Server, method: str, path: str) -> None:
    refused(logistic.request(method, path), 405)


@pytest.mark.parametrize("path", ["/v1", "/v2/models", "/v2/repository/index", "/%00", "//"])
def test_unknown_path_is_404(logistic: Server, path: str) -> None:
    refused(logistic.get(path), 404)
