"""Tokens before a container: they are checked by the server, and end there."""

from pathlib import Path

from tests.support.authority import mount
from tests.unit.server.upstream.conftest import Pair, standing
from tests.unit.server.upstream.stub import Stub

TOKEN = "abcdefghijklmnop"
PATH = "/v2/models/power/infer"


def test_a_token_is_checked_and_not_passed_on(tmp_path: Path) -> None:
    tokens = str(mount(tmp_path / "tokens", {"ana": TOKEN.encode()}))
    with (
        Stub() as stub,
        standing(stub, "OpenInference", tmp_path, TIDEMILL_TOKENS=tokens) as server,
    ):
        pair = Pair(server.ready(), stub, "/v2/health/ready")
        assert server.get("/v2/health/ready").status == 200
        refused = pair.outcome("client_error")
        assert server.request("POST", PATH, {}).status == 401
        assert pair.outcome("client_error") == refused + 1
        assert pair.heard == []
        headers = {"Authorization": f"Bearer {TOKEN}", "X-Own": "kept"}
        assert server.request("POST", PATH, {}, headers).status == 200
        [heard] = pair.heard
        assert heard.header("authorization") == []
        assert heard.header("x-own") == ["kept"]


def test_where_nobody_checks_it_is_the_containers(tmp_path: Path) -> None:
    with Stub() as stub, standing(stub, "OpenInference", tmp_path) as server:
        pair = Pair(server.ready(), stub, "/v2/health/ready")
        server.request("POST", PATH, {}, {"Authorization": "Basic YTpi"})
        assert [one.header("authorization") for one in pair.heard] == [["Basic YTpi"]]
