"""Pages of other origins before a container: of its answers only what they may read changes."""

from collections.abc import Iterator

import pytest
from tests.unit.server.upstream.conftest import Pair, standing
from tests.unit.server.upstream.stub import Stub, ok

PAGE = "https://shop.example"
SENT = {"origin": PAGE}


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pair]:
    env = {"TIDEMILL_CORS_ORIGINS": f'["{PAGE}"]'}
    with (
        Stub() as stub,
        standing(stub, "Http", tmp_path_factory.mktemp("shared"), **env) as server,
    ):
        yield Pair(server.ready(), stub, "/")


@pytest.mark.parametrize("headers", [{}, SENT], ids=["no page", "a page"])
@pytest.mark.parametrize("status", ["499 Client Closed", "520 Odd", "200 OK"])
def test_an_answer_is_the_containers(shared: Pair, headers: dict[str, str], status: str) -> None:
    theirs = "content-type: text/plain", "access-control-allow-origin: *", "vary: accept"
    shared.says(lambda _: ok(b"hello", *theirs, status=status))
    answer = shared.server.request("GET", "/x", headers=headers)
    assert (answer.status, answer.body) == (int(status[:3]), b"hello")
    assert answer.headers["content-type"] == "text/plain"
    allowed = answer.headers.get("access-control-allow-origin")
    assert allowed == (PAGE if headers else None)


def test_what_has_no_body_is_framed_as_such(shared: Pair) -> None:
    shared.says(lambda heard: ok(b"hello" if heard.method != "HEAD" else b"", "x: y"))
    head = shared.server.request("HEAD", "/x", headers=SENT)
    assert head.status == 200
    shared.says(lambda _: b"HTTP/1.1 204 No Content\r\n\r\n")
    answer = shared.server.request("GET", "/x", headers=SENT)
    assert answer.status == 204
    assert "content-length" not in answer.headers


@pytest.mark.parametrize("method", ["PUT", "PATCH", "DELETE"])
def test_a_page_may_ask_whatever_a_container_answers(shared: Pair, method: str) -> None:
    asked = {**SENT, "access-control-request-method": method}
    told = shared.server.request("OPTIONS", "/x", headers=asked)
    assert method in told.headers["access-control-allow-methods"].split(", ")
