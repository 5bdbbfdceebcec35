"""The real server, over REST: whose trace a request is in, what is told of it, what is not."""

import json
import re
import signal
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.unit.server import packages
from tests.unit.server.bucket import Bucket
from tests.unit.server.explain.test_explain import ENABLED, ROW, asked, with_background
from tests.unit.server.servers import Reply, Server, serve
from tests.unit.server.test_open_inference_protocol import request
from tests.unit.server.traces.collectors import Collecting, Told, collector, values

from tidemill_server.exits import Exit

TRACE, SPAN = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
SAMPLED, UNSAMPLED = f"00-{TRACE}-{SPAN}-01", f"00-{TRACE}-{SPAN}-00"
NOT_BEGUN = {"TIDEMILL_TRACES_RATIO": "0"}
EVERY = {"TIDEMILL_ACCESS_LOG_EVERY": "1"}


@pytest.fixture(scope="module")
def package() -> dict[str, bytes]:
    return with_background(packages.logistic()).files()


@pytest.fixture(scope="module")
def collecting() -> Iterator[Collecting]:
    with collector() as found:
        yield found


@pytest.fixture(scope="module")
def traced(
    collecting: Collecting, package: dict[str, bytes], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Server]:
    with Bucket() as bucket:
        digest = packages.publish(bucket, package)
        env = {**collecting.environment, **EVERY, **ENABLED}
        with serve(bucket, digest, tmp_path_factory.mktemp("traced"), **env) as server:
            yield server.ready()


def prediction(reply: Reply) -> str:
    return reply.headers["x-tidemill-prediction-id"]


def told(collecting: Collecting, reply: Reply) -> Told:
    return collecting.trace(prediction(reply))


def test_a_trace_is_continued(traced: Server, collecting: Collecting) -> None:
    reply = traced.infer(request(), traceparent=SAMPLED, tracestate="rojo=1, congo=t61")
    assert reply.status == 200
    assert "traceparent" not in reply.headers
    root = told(collecting, reply).root
    assert (root.trace_id.hex(), root.parent_span_id.hex()) == (TRACE, SPAN)
    assert root.trace_state == "rojo=1,congo=t61"
    assert root.flags == 0x301  # recorded, and known to be from elsewhere


def test_a_trace_is_begun(traced: Server, collecting: Collecting) -> None:
    one, other = (told(collecting, traced.infer(request())).root for _ in range(2))
    assert (one.parent_span_id, one.trace_state, one.flags) == (b"", "", 0x101)
    assert len(one.trace_id) == len(other.trace_id) == 16
    assert len({one.trace_id, other.trace_id, bytes(16)}) == 3
    assert len({one.span_id, other.span_id, bytes(8)}) == 3


def test_a_malformed_parent_begins_a_new_trace(traced: Server, collecting: Collecting) -> None:
    reply = traced.infer(request(), traceparent=SAMPLED.upper(), tracestate="rojo=1")
    assert reply.status == 200
    root = told(collecting, reply).root
    assert root.trace_id.hex() != TRACE
    assert (root.parent_span_id, root.trace_state) == (b"", "")


def test_what_is_not_sampled_is_not_sent(traced: Server, collecting: Collecting) -> None:
    left_out = traced.infer(request(), traceparent=UNSAMPLED)
    assert left_out.status == 200
    told(collecting, traced.infer(request()))  # a later one is there
    assert prediction(left_out) not in str(collecting.spans)


def test_what_is_told_of_a_request(traced: Server, collecting: Collecting) -> None:
    reply = traced.infer(request())
    found = told(collecting, reply)
    path = "/v2/models/power/infer"
    assert (found.root.name, found.root.kind) == ("infer", found.root.SPAN_KIND_SERVER)
    assert found.root.status.code == found.root.status.STATUS_CODE_UNSET
    assert found.attributes == {
        "tidemill.model.name": "power",
        "tidemill.model.version": reply.headers["x-tidemill-model-version"],
        "tidemill.model.digest": reply.headers["x-tidemill-model-digest"],
        "tidemill.prediction_id": prediction(reply),
        "tidemill.outcome": "ok",
        "tidemill.rows": 1,
        "http.request.method": "POST",
        "http.response.status_code": 200,
        "http.route": path,
        "url.path": path,
        "url.scheme": "http",
    }
    assert collecting.resources[0]["service.name"] == "power"


def test_stages_follow_one_another(traced: Server, collecting: Collecting) -> None:
    found = told(collecting, traced.infer(request()))
    assert list(found.stages) == ["read", "queue", "inference", "encode"]
    ends = [found.root.start_time_unix_nano]
    for stage in found.stages.values():
        assert stage.trace_id == found.root.trace_id
        assert stage.kind == stage.SPAN_KIND_INTERNAL
        assert stage.start_time_unix_nano == ends[-1]
        assert stage.end_time_unix_nano > stage.start_time_unix_nano
        ends.append(stage.end_time_unix_nano)
    assert ends[-1] == found.root.end_time_unix_nano
    assert values(found.stages["inference"].attributes) == {"tidemill.batch.rows": 1}


def test_an_explanation_is_a_stage(traced: Server, collecting: Collecting) -> None:
    by_name = {"rows": [ROW], "explain": True}
    for path, body in (("/v2/models/power/infer", asked()), ("/v1/predict", by_name)):
        reply = traced.request("POST", path, body)
        assert reply.status == 200, reply.body
        stages = ["read", "queue", "inference", "explain", "encode"]
        assert list(told(collecting, reply).stages) == stages


def test_rows_by_name_are_traced_as_well(traced: Server, collecting: Collecting) -> None:
    reply = traced.request("POST", "/v1/predict", {"rows": [ROW, ROW]}, {"traceparent": SAMPLED})
    assert reply.status == 200, reply.body
    found = told(collecting, reply)
    assert found.attributes["url.path"] == "/v1/predict"
    assert found.attributes["tidemill.rows"] == 2


def test_a_refusal_is_the_clients(traced: Server, collecting: Collecting) -> None:
    reply = traced.infer({"inputs": []}, traceparent=SAMPLED)
    assert reply.status == 400
    found = told(collecting, reply)
    assert found.attributes["http.response.status_code"] == 400
    assert found.attributes["tidemill.outcome"] == "client_error"
    assert found.root.status.code == found.root.status.STATUS_CODE_UNSET
    assert not {"error.type", "tidemill.rows"} & set(found.attributes)
    assert found.stages == {}


def test_no_payload_is_sent(traced: Server, collecting: Collecting) -> None:
    secret = "hush-" + "x" * 20
    body = {**request(), "id": secret, "parameters": {secret: secret}}
    found = told(collecting, traced.request("POST", f"/v2/models/power/infer?{secret}", body))
    assert found.attributes["url.path"] == "/v2/models/power/infer"
    assert secret not in str(collecting.spans)


def test_what_is_no_request_for_predictions_is_no_trace(
    traced: Server, collecting: Collecting
) -> None:
    headers = {"traceparent": f"00-{'f' * 32}-{SPAN}-01"}
    for path in ("/v2", "/metrics", "/v2/health/ready", "/v2/models/power/infer"):
        traced.request("GET", path, None, headers)
    told(collecting, traced.infer(request()))
    assert bytes.fromhex("f" * 32) not in [span.trace_id for span in collecting.spans]


def test_the_log_names_the_trace(traced: Server) -> None:
    traced.infer(request(), traceparent=f"00-{'e' * 32}-{SPAN}-01")
    while (line := traced.wait_for_log("request")).get("trace_id") != "e" * 32:
        assert re.fullmatch("[0-9a-f]{32}", line.get("trace_id", "0" * 32))
    traced.infer(request(), traceparent=UNSAMPLED)
    assert "trace_id" not in traced.wait_for_log("request")


def counts(server: Server) -> dict[str, float]:
    text = server.get("/metrics").body.decode()
    found = re.findall(r"^tidemill_server_traces_(\w+)_total (\S+)$", text, re.MULTILINE)
    return {name: float(value) for name, value in found}


def test_what_was_sent_is_counted(traced: Server, collecting: Collecting) -> None:
    before = counts(traced)
    assert before["dropped"] == 0
    told(collecting, traced.infer(request()))
    traced.until(lambda server: counts(server)["sent"] >= before["sent"] + 1)


def test_others_are_recorded_by_the_ratio(
    bucket: Bucket, package: dict[str, bytes], tmp_path: Path
) -> None:
    digest = packages.publish(bucket, package)
    with collector() as found:
        env = {**found.environment, **NOT_BEGUN}
        with serve(bucket, digest, tmp_path, **env) as server:
            server.ready()
            for _ in range(20):
                server.infer(request())
            reply = server.infer(request(), traceparent=SAMPLED)
            found.trace(prediction(reply))
        assert {span.trace_id.hex() for span in found.spans} == {TRACE}


def test_the_last_are_sent_at_the_end(
    bucket: Bucket, package: dict[str, bytes], tmp_path: Path
) -> None:
    digest = packages.publish(bucket, package)
    with collector() as found, serve(bucket, digest, tmp_path, **found.environment) as server:
        server.ready()
        replies = [server.infer(request()) for _ in range(50)]
        server.process.send_signal(signal.SIGTERM)
        assert server.end() == Exit.OK
        sent = str(found.spans)
    assert [one for one in map(prediction, replies) if one not in sent] == []


def test_without_a_collector_requests_go_on(
    bucket: Bucket, package: dict[str, bytes], tmp_path: Path
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as reserved:
        port = reserved.getsockname()[1]
    env = {**Collecting(port=port).environment, "TIDEMILL_DRAIN_SECONDS": "0"}
    digest = packages.publish(bucket, package)
    with serve(bucket, digest, tmp_path, **env) as server:
        server.ready()
        connection, body = server.connect(), json.dumps(request())
        while not counts(server)["dropped"]:  # more than may wait
            for _ in range(500):
                connection.request("POST", "/v2/models/power/infer", body)
                response = connection.getresponse()
                assert (response.status, len(response.read()) > 0) == (200, True)
        line = server.wait_for_log("the collector of traces")
        assert line["level"] == "warning"
        assert line["message"].endswith("takes none: it cannot be connected to")
        assert counts(server)["sent"] == 0
        server.process.send_signal(signal.SIGTERM)
        assert server.end() == Exit.OK
