"""The demonstration ends with an address that this machine can open, or with how it can."""

from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread
from typing import Any

import pytest
from demo.showcase import page
from demo.showcase.page import address


class Services:
    """A cluster with one service, or none."""

    def __init__(self, service: dict[str, Any] | None) -> None:
        self.service = service

    def get(self, kind: str, name: str) -> dict[str, Any] | None:
        del kind, name
        return self.service


def told(service: dict[str, Any] | None) -> str:
    return address(Services(service), "elec2")  # type: ignore[arg-type]


def test_an_address_that_answers_is_told() -> None:
    class Page(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.end_headers()

    with HTTPServer(("127.0.0.1", 0), Page) as server:
        Thread(target=server.handle_request, daemon=True).start()
        ip = f"127.0.0.1:{server.server_port}"
        assert told({"spec": {"clusterIP": ip}}) == f"http://{ip}/"


@pytest.mark.parametrize("service", [None, {}, {"spec": {"clusterIP": "127.0.0.2"}}])
def test_else_it_says_what_to_run(
    service: dict[str, Any] | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(page, "SECONDS", 1)
    assert "port-forward service/elec2" in told(service)
