"""Several models in one process: each as if it were alone, and they come and go."""

import json
import os
import signal
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import tritonclient.grpc as triton_grpc
import tritonclient.http as triton_http
from sklearn.neighbors import KNeighborsClassifier
from tests.unit.server import packages
from tests.unit.server.bucket import Bucket
from tests.unit.server.servers import Reply, Server
from tests.unit.server.shelf.shelves import Shelf, answers, ask, question, told

from tidemill.store.digests import sha256_digest

ROW = {"price": 0.5, "demand": 0.5, "day": 3, "peak": True}


@pytest.fixture
def shelf(bucket: Bucket, tmp_path: Path) -> Shelf:
    return Shelf(bucket, tmp_path)


@pytest.fixture(scope="module")
def two(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Shelf, Server]]:
    """A logistic regression and boosted trees."""
    with Bucket() as bucket:
        shelf = Shelf(bucket, tmp_path_factory.mktemp("two"))
        shelf.put("first", packages.logistic(), limits={"rows": 5})
        shelf.put("second", packages.named())
        with shelf.serve() as server:
            server.wait_for_log("serving")
            yield shelf, server


def test_each_answers_at_its_path_and_says_which_it_is(two: tuple[Shelf, Server]) -> None:
    shelf, server = two
    for name, datatype in (("first", "INT64"), ("second", "BYTES")):
        reply = ask(server, name)
        assert reply.status == 200, reply.body
        assert reply.json["outputs"][0]["datatype"] == datatype
        digest = shelf.entries[name]["digest"]
        assert reply.headers["x-tidemill-model-name"] == name
        assert reply.headers["x-tidemill-model-digest"] == digest
        assert reply.json["parameters"]["model_digest"] == digest
        version = f"/v2/models/{name}/versions/{digest[7:19]}"
        assert server.get(f"{version}/ready").json["ready"] is True


def test_below_its_name_a_model_is_as_it_is_alone(two: tuple[Shelf, Server]) -> None:
    _, server = two
    reply = server.request("POST", "/models/second/v1/predict", [ROW])
    assert (reply.status, reply.json["model_name"]) == (200, "second")
    assert server.get("/models/second/v1/model").json["task"] == "Classification"
    assert "/v1/predict" in server.get("/models/second/openapi.json").json["paths"]
    page = server.get("/models/second/")
    assert page.headers["content-type"] == "text/html; charset=utf-8"
    moved = server.get("/models/second")
    assert (moved.status, moved.headers["location"]) == (308, "second/")
    assert b"Models" in server.get("/").body
    assert server.get("/shelf.js").status == 200


@pytest.mark.parametrize(
    ("method", "path", "status", "words"),
    [
        ("GET", "/v2/models/third", 404, "no model 'third' here; there is 'first', 'second'"),
        ("GET", "/models/third/", 404, "no model 'third' here"),
        ("GET", "/v2/models/first/versions/7", 404, "no version '7' here"),
        ("GET", "/v1/predict", 404, "nothing is answered at '/v1/predict'"),
        ("GET", "/v2/repository/index", 405, "POST only"),
        ("POST", "/v1/models", 405, "GET and HEAD only"),
        ("GET", "/v2/models/first/infer", 405, "POST only"),
    ],
)
def test_what_is_not_there_is_said(
    two: tuple[Shelf, Server], method: str, path: str, status: int, words: str
) -> None:
    reply = two[1].request(method, path)
    assert reply.status == status
    assert words in reply.json["error"]


def test_bounds_are_each_models_own(two: tuple[Shelf, Server]) -> None:
    _, server = two
    assert [ask(server, name, 6).status for name in ("first", "second")] == [413, 200]


def test_metrics_bear_the_models_names(two: tuple[Shelf, Server]) -> None:
    _, server = two
    ask(server, "first")
    text = server.get("/metrics").body.decode()
    assert 'tidemill_server_requests_total{model="first",outcome="ok"}' in text
    assert 'tidemill_server_model_load_seconds{model="second",stage="load"}' in text
    assert text.count("# TYPE tidemill_server_requests_total counter") == 1
    assert "\nprocess_resident_memory_bytes " in text
    counted = {one["name"]: one["stats"] for one in server.get("/v1/models").json["models"]}
    assert counted["first"]["requests"]["ok"] >= 1


def test_tritons_clients_find_and_ask_them(two: tuple[Shelf, Server]) -> None:
    shelf, server = two
    wanted = [
        {"name": name, "version": entry["digest"][7:19], "state": "READY", "reason": ""}
        for name, entry in shelf.entries.items()
    ]
    http = triton_http.InferenceServerClient(f"127.0.0.1:{server.port}")
    assert http.get_model_repository_index() == wanted
    with triton_grpc.InferenceServerClient(f"127.0.0.1:{server.grpc}") as client:
        listed = client.get_model_repository_index().models
        assert [(one.name, one.state) for one in listed] == [
            ("first", "READY"),
            ("second", "READY"),
        ]
        assert client.is_model_ready("second")
        for name in ("first", "second"):
            metadata = client.get_model_metadata(name)
            inputs = [
                triton_grpc.InferInput(one.name, [1], one.datatype) for one in metadata.inputs
            ]
            for one, (kind, value) in zip(
                inputs, (("f8", 0.5), ("f8", 0.5), ("i8", 3), ("?", True)), strict=True
            ):
                one.set_data_from_numpy(packages.np.array([value], kind))
            result = client.infer(name, inputs)
            rest = ask(server, name).json["outputs"][1]["data"]
            assert result.as_numpy("predict_proba")[0].tolist() == rest
        with pytest.raises(triton_grpc.InferenceServerException, match="no model 'third' here"):
            client.infer("third", inputs)


def test_models_come_and_go_while_others_answer(shelf: Shelf) -> None:
    shelf.put("first", packages.logistic())
    with shelf.serve() as server:
        server.wait_for_log("serving")
        came = shelf.put("second", packages.tree())
        server.until(lambda one: answers(one, came))
        assert ask(server, "second").status == 200
        followed = server.get("/v2/health/ready").json["list"]
        shelf.drop("first")
        server.until(lambda one: ask(one, "first").status == 404)
        assert ask(server, "second").status == 200
        server.until(
            lambda one: (
                {path.name for path in one.scratch.iterdir()} == {"blame", "package-second-1"}
            )
        )
        now = server.get("/v2/health/ready").json["list"]
        assert now == sha256_digest(shelf.file.read_bytes()) != followed
        assert 'model="first"' not in server.get("/metrics").body.decode()


def test_a_new_version_takes_over_without_a_lost_request(shelf: Shelf) -> None:
    old = shelf.put("power", packages.logistic())
    replies: list[Reply] = []
    enough = threading.Event()

    def keep_asking(server: Server) -> None:
        while not enough.is_set():
            replies.append(ask(server, "power"))

    with shelf.serve() as server:
        server.wait_for_log("serving")
        threads = [threading.Thread(target=keep_asking, args=(server,)) for _ in range(4)]
        for thread in threads:
            thread.start()
        try:
            new = shelf.put("power", packages.tree())
            server.until(lambda one: answers(one, new))
            seen = len(replies)
            server.until(lambda _: len(replies) > seen + 20)
        finally:
            enough.set()
            for thread in threads:
                thread.join()
    assert {reply.status for reply in replies} == {200}
    versions = [reply.headers["x-tidemill-model-digest"] for reply in replies]
    assert {versions[0], versions[-1]} == {old["digest"], new["digest"]}


def test_a_model_that_is_refused_takes_nobody_down(shelf: Shelf) -> None:
    good = shelf.put("good", packages.logistic())
    bad = shelf.put("bad", packages.tree())
    prefix = bad["uri"].partition("/models/")[2]
    key = f"models/{prefix}model.skops"
    whole = shelf.bucket.objects[key]
    shelf.bucket.objects[key] = whole[:-1] + bytes((whole[-1] ^ 1,))
    with shelf.serve() as server:
        server.wait_for_log("serving")
        assert ask(server, "good").status == 200
        found = told(server)["bad"]
        assert (found["digest"], found["reason"]) == ("", "DigestMismatch")
        assert "model.skops" in found["message"]
        reply = ask(server, "bad")
        assert reply.status == 503
        assert "model.skops" in reply.json["error"]
        # A version that is refused leaves the former in its place, and a right one takes it.
        shelf.want("good", {**packages.tree().files(), "model.skops": b"no zip file"})
        server.until(lambda one: told(one)["good"]["reason"] not in ("Ready", "Loading"))
        assert told(server)["good"]["digest"] == good["digest"]
        assert ask(server, "good").status == 200
        index = {(one["name"], one["state"]) for one in index_of(server)}
        assert index == {("good", "READY"), ("good", "UNAVAILABLE"), ("bad", "UNAVAILABLE")}
        mended = shelf.put("bad", packages.tree())
        server.until(lambda one: answers(one, mended))
        assert server.get("/v2/health/ready").status == 200


def index_of(server: Server) -> list[dict[str, str]]:
    found: list[dict[str, str]] = server.request("POST", "/v2/repository/index").json
    return found


def test_a_model_that_is_larger_than_its_bound_is_refused_alone(shelf: Shelf) -> None:
    shelf.put("small", packages.logistic())
    rows, target = packages.numbers(1_500_000)
    neighbours = KNeighborsClassifier(algorithm="brute").fit(rows, target)
    large = packages.Model(neighbours, rows, packages.tree().signature)
    shelf.put("large", large, limits={"memoryBytes": 4 << 20})
    with shelf.serve() as server:
        server.wait_for_log("serving")
        found = told(server)
        assert found["large"]["reason"] == "ModelUnloadable"
        assert "memory" in found["large"]["message"]
        assert ask(server, "small").status == 200


def test_requests_at_a_time_are_bounded_for_each(shelf: Shelf) -> None:
    """A client that waits for one model's place leaves the other's free."""
    shelf.put("narrow", packages.logistic(), limits={"inFlight": 1})
    shelf.put("wide", packages.logistic())
    with shelf.serve() as server:
        server.wait_for_log("serving")
        statuses: list[int] = []
        body, all_at_once = question(9_000), threading.Barrier(13)

        def crowd() -> None:
            all_at_once.wait()
            statuses.append(server.request("POST", "/v2/models/narrow/infer", body).status)

        threads = [threading.Thread(target=crowd) for _ in range(12)]
        for thread in threads:
            thread.start()
        all_at_once.wait()
        others = [ask(server, "wide").status for _ in range(10)]
        for thread in threads:
            thread.join()
        assert set(statuses) == {200, 429}
        assert set(others) == {200}


def test_a_store_that_is_away_is_waited_for_and_said(shelf: Shelf) -> None:
    shelf.put("power", packages.logistic())
    shelf.bucket.answer = (503, "SlowDown")
    with shelf.serve() as server:
        server.until(lambda one: one.get("/v2/health/ready").json["reason"] == "StoreUnavailable")
        shelf.bucket.answer = None
        server.wait_for_log("serving")
        assert ask(server, "power").status == 200


def test_one_that_waits_for_the_store_keeps_no_other_waiting(shelf: Shelf) -> None:
    """A bucket that this server has no keys for is like one that is away."""
    lost = shelf.put("lost", packages.tree())
    shelf.bucket.objects = {
        key: data for key, data in shelf.bucket.objects.items() if "/lost/" not in key
    }
    assert lost
    shelf.put("power", packages.logistic())
    with shelf.serve() as server:
        server.wait_for_log("serving")
        assert ask(server, "power").status == 200
        assert told(server)["lost"]["reason"] == "MissingFile"


def test_what_is_refused_is_tried_again(shelf: Shelf) -> None:
    """Its file may be there later; what was said first is told meanwhile."""
    entry = shelf.put("power", packages.tree())
    key = f"models/{entry['uri'].partition('/models/')[2]}model.skops"
    whole = shelf.bucket.objects.pop(key)
    with shelf.serve(TIDEMILL_RETRY_SECONDS="0.2") as server:
        for _ in range(3):
            assert server.wait_for_log("refused")["reason"] == "MissingFile"
            assert told(server)["power"]["reason"] == "MissingFile"
        shelf.bucket.objects[key] = whole
        server.wait_for_log("serving")
        assert answers(server, entry)
        assert ask(server, "power").status == 200


def test_without_the_process_that_tries_models_the_server_ends(shelf: Shelf) -> None:
    """It starts again, and has one: else no model would come any more."""
    shelf.put("power", packages.tree())
    with shelf.serve() as server:
        server.wait_for_log("serving")
        pid = server.process.pid
        (child,) = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        os.kill(int(child), signal.SIGKILL)
        assert server.end() == 70
        assert server.refusal["reason"] == "InternalError"


def test_an_access_log_names_the_model(shelf: Shelf) -> None:
    shelf.put("power", packages.tree())
    with shelf.serve(TIDEMILL_ACCESS_LOG_EVERY="1") as server:
        server.wait_for_log("serving")
        assert server.request("POST", "/models/power/v1/predict", [ROW]).status == 200
        line = server.wait_for_log("request")
        assert (line["model"], line["path"]) == ("power", "/v1/predict")


def test_a_list_that_cannot_be_read_leaves_what_is_served(shelf: Shelf) -> None:
    shelf.put("power", packages.logistic())
    with shelf.serve() as server:
        server.wait_for_log("serving")
        shelf.write("{")
        assert "models.json" in server.wait_for_log("what has changed")["detail"]
        assert ask(server, "power").status == 200


def test_a_list_that_cannot_be_read_at_first_is_the_end(shelf: Shelf) -> None:
    shelf.write(json.dumps({"models": [{"name": "A"}]}))
    with shelf.serve() as server:
        assert server.end() == 10
        assert "models[0].name" in server.refusal["message"]


def test_none_yet_is_ready_for_what_comes(shelf: Shelf) -> None:
    shelf.write()
    with shelf.serve() as server:
        server.wait_for_log("serving")
        assert server.get("/v2/models/power").json["error"].endswith("there is none yet")
        came = shelf.put("power", packages.logistic())
        server.until(lambda one: answers(one, came))


def test_whoever_bears_no_token_gets_pages_and_nothing_else(shelf: Shelf) -> None:
    shelf.put("power", packages.logistic())
    tokens = shelf.folder / "tokens"
    tokens.mkdir()
    (tokens / "team").write_text("a-token-of-thirty-two-characters-")
    with shelf.serve(TIDEMILL_TOKENS=str(tokens)) as server:
        server.wait_for_log("serving")
        for path in ("/", "/shelf.js", "/models/power", "/models/power/", "/models/power/page.js"):
            assert server.get(path).status in (200, 308), path
        for path in ("/v1/models", "/models/power/v1/model", "/v2/models/power", "/models/x/"):
            assert server.get(path).status == 401, path
        assert ask(server, "power").status == 401
        bearer = {"Authorization": "Bearer a-token-of-thirty-two-characters-"}
        assert ask(server, "power", **bearer).status == 200


def test_it_drains_as_one_model_does(shelf: Shelf) -> None:
    shelf.put("power", packages.logistic())
    with shelf.serve(TIDEMILL_DRAIN_SECONDS="30") as server:
        server.wait_for_log("serving")
        server.process.send_signal(signal.SIGTERM)
        server.wait_for_log("draining")
        assert server.get("/v2/health/ready").json["reason"] == "Draining"
        assert server.get("/v2/models/power/ready").status == 503
        assert ask(server, "power").status == 200
        server.process.send_signal(signal.SIGTERM)
        assert server.end() == 0
