"""What the container is asked, and which headers go on and which do not, both ways."""

from typing import Any

import pytest
from tests.unit.server.bodies import came

from tidemill_server.protocol.errors import Header, ProtocolError
from tidemill_server.rest.request import Request
from tidemill_server.upstream.fields import passed_on
from tidemill_server.upstream.question import Writer, looking, target_of

WRITER = Writer("127.0.0.1:8081", asked_again=False)
OURS = [b"x-tidemill-prediction-id: id-1", b"via: 1.1 tidemill"]


def request(*headers: Header, method: str = "POST", url: bytes = b"/a?b=c%20d") -> Request:
    found = [(b"host", b"peaks.team.svc"), *headers]
    return Request(method, "/a", found, came(b""), True, url=url)


def lines(asked: Request, body: bytes = b"ab", writer: Writer = WRITER) -> list[bytes]:
    head = writer.question(asked, body, "id-1").head
    assert head.endswith(b"\r\n\r\n")
    return head[:-4].split(b"\r\n")


def test_it_is_the_request_with_its_length_and_its_id() -> None:
    asked = request((b"content-type", b"text/csv"), (b"x-tidemill-timeout-ms", b"50"))
    assert lines(asked) == [
        b"POST /a?b=c%20d HTTP/1.1",
        b"host: peaks.team.svc",
        b"content-type: text/csv",
        b"x-tidemill-timeout-ms: 50",
        b"content-length: 2",
        *OURS,
    ]


@pytest.mark.parametrize(
    ("method", "body", "length"),
    [("GET", b"", None), ("GET", b"a", b"1"), ("POST", b"", b"0"), ("DELETE", b"", None)],
)
def test_the_length_is_the_bodys_however_it_was_framed(
    method: str, body: bytes, length: bytes | None
) -> None:
    framed = ((b"transfer-encoding", b"chunked"), (b"content-length", b"99"))
    found = [one for one in lines(request(*framed, method=method), body) if b"length" in one]
    assert found == ([] if length is None else [b"content-length: " + length])


def test_what_is_of_one_connection_is_not_passed_on() -> None:
    asked = request(
        (b"connection", b"keep-alive, X-Hop"),
        (b"connection", b"close,  x-other"),
        (b"keep-alive", b"timeout=5"),
        (b"proxy-connection", b"keep-alive"),
        (b"proxy-authorization", b"Basic x"),
        (b"te", b"trailers"),
        (b"trailer", b"x-sum"),
        (b"upgrade", b"h2c"),
        (b"expect", b"100-continue"),
        (b"x-hop", b"1"),
        (b"x-other", b"2"),
        (b"x-whole-way", b"3"),
        (b"authorization", b"Bearer of-the-users-own"),
    )
    assert lines(asked)[2:-3] == [
        b"x-whole-way: 3",
        b"authorization: Bearer of-the-users-own",
    ]


def test_what_the_server_keeps_to_itself_is_not_passed_on() -> None:
    writer = Writer("127.0.0.1:8081", asked_again=False, withheld={b"authorization"})
    asked = request((b"authorization", b"Bearer x"), (b"x-tidemill-prediction-id", b"forged"))
    assert lines(asked, writer=writer)[2:] == [b"content-length: 2", *OURS]


def test_a_request_has_one_host() -> None:
    asked = request()
    asked.headers = []
    assert b"host: 127.0.0.1:8081" in lines(asked)
    with pytest.raises(ProtocolError, match="more than one header Host") as raised:
        lines(request((b"host", b"other")))
    assert raised.value.status == 400


@pytest.mark.parametrize(
    ("url", "target"),
    [
        (b"/", b"/"),
        (b"/a/../b;c?d=e&f", b"/a/../b;c?d=e&f"),
        (b"/a%2Fb?%00", b"/a%2Fb?%00"),
        (b"//a", b"//a"),
        (b"/a#b", b"/a"),
        (b"http://peaks.team.svc/a?b=c", b"/a?b=c"),
        (b"http://peaks.team.svc:80", b"/"),
        (b"http://peaks.team.svc?b", b"/?b"),
    ],
)
def test_the_path_is_passed_on_as_it_came(url: bytes, target: bytes) -> None:
    assert target_of(url) == target


@pytest.mark.parametrize(
    ("method", "asked_again", "repeatable"),
    [
        *(("GET", False, True), ("PUT", False, True), ("POST", False, False)),
        *(("PATCH", False, False), ("POST", True, True)),
    ],
)
def test_what_may_be_asked_twice(method: str, asked_again: bool, repeatable: bool) -> None:
    writer = Writer("127.0.0.1:8081", asked_again=asked_again)
    assert writer.question(request(method=method), b"", "id-1").repeatable is repeatable


def test_a_question_of_our_own() -> None:
    question = looking("/ready?x", "127.0.0.1:8081")
    assert question.head == (
        b"GET /ready?x HTTP/1.1\r\nhost: 127.0.0.1:8081\r\nuser-agent: tidemill\r\n\r\n"
    )
    assert question.repeatable


def test_headers_of_the_whole_way_keep_their_order_and_number() -> None:
    many: list[Any] = [(b"set-cookie", b"a"), (b"x", b""), (b"set-cookie", b"b")]
    assert passed_on(many, ()) == many
