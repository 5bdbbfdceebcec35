"""Keys asked of a store's STS: for as long as it grants, and what it means where it grants none."""

import threading
import urllib.parse
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from tidemill.store.config import StoreConfig
from tidemill.store.credentials import Policy, assume_role
from tidemill.store.errors import AccessDenied, Unavailable

GRANTED = """<AssumeRoleResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/">
<AssumeRoleResult><Credentials><AccessKeyId>KEY{seconds}</AccessKeyId>
<SecretAccessKey>s</SecretAccessKey><SessionToken>t</SessionToken>
<Expiration>2030-01-01T00:00:00Z</Expiration></Credentials></AssumeRoleResult>
</AssumeRoleResponse>"""
TOO_LONG = "<ErrorResponse><Error><Code>ValidationError</Code></Error></ErrorResponse>"


class Sts:
    """A store that grants keys for at most so long, or answers with a status to all."""

    def __init__(self, most: int, status: int = 0) -> None:
        self.most, self.status = most, status
        self.asked: list[int] = []

    def answer(self, body: str) -> tuple[int, str]:
        seconds = int(urllib.parse.parse_qs(body)["DurationSeconds"][0])
        self.asked.append(seconds)
        if self.status:
            return self.status, ""
        return (400, TOO_LONG) if seconds > self.most else (200, GRANTED.format(seconds=seconds))


@contextmanager
def running(sts: Sts) -> Iterator[StoreConfig]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"])).decode()
            status, text = sts.answer(body)
            self.send_response(status)
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(text.encode())

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002
            """Keep quiet."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        address = f"http://127.0.0.1:{server.server_address[1]}"
        yield StoreConfig(address, "r", "b", access_key="a", secret_key="s")
        server.shutdown()


@pytest.mark.parametrize(
    ("most", "wanted", "asked"),
    [
        pytest.param(604_800, 90_000, [90_000], id="as-long-as-wanted"),
        pytest.param(43_200, 90_000, [90_000, 43_200], id="half-a-day"),
        pytest.param(3_600, 90_000, [90_000, 43_200, 3_600], id="an-hour"),
        pytest.param(3_600, 7_200, [7_200, 3_600], id="an-hour-of-two"),
        pytest.param(3_600, 60, [3_600], id="never-less-than-an-hour"),
    ],
)
def test_where_it_grants_none_for_so_long_it_is_asked_for_less(
    most: int, wanted: int, asked: list[int]
) -> None:
    sts = Sts(most)
    with running(sts) as config:
        granted = assume_role(config, Policy("b", read=("x/",)), wanted)
    assert sts.asked == asked
    assert granted is not None
    assert granted.config.access_key == f"KEY{asked[-1]}"


@pytest.mark.parametrize("status", [400, 404, 405, 501])
def test_a_store_without_it_has_none(status: int) -> None:
    with running(Sts(0, status)) as config:
        assert assume_role(config, Policy("b"), 90_000) is None


def test_what_it_refuses_to_the_operator_is_told() -> None:
    with running(Sts(0, 403)) as config, pytest.raises(AccessDenied, match="operator's"):
        assume_role(config, Policy("b"), 900)


def test_what_may_pass_is_tried_again_later() -> None:
    with running(Sts(0, 507)) as config, pytest.raises(Unavailable, match="507"):
        assume_role(config, Policy("b"), 900)
