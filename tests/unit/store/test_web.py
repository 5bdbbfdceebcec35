"""What a web server's answers mean."""

import pytest

from tidemill.store import web
from tidemill.store.web import RemoteFile, WebError

URL = "https://files.example/day/data.csv?sig=hush#part"


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("ftp://files.example/x", "scheme 'ftp'"),
        ("/x", "scheme ''"),
        ("https://user:hush@files.example/x", "holds credentials"),
        ("https://user@files.example/x", "holds credentials"),
        ("https:///x", "names no host"),
        ("https://files.example:0/x", "names no host"),
        ("https://files.example:99999/x", "is no URL"),
        ("https://[::1/x", "is no URL"),
        ("https://files.example/a b", "encode it"),
        ("https://files.example/a\u00fc", "encode it"),
        ("https://files.example/a\r\nHost: x", "encode it"),
    ],
)
def test_what_is_no_url_is_refused(url: str, words: str) -> None:
    with pytest.raises(WebError) as caught:
        web.parse(url)
    assert (caught.value.reason, words in caught.value.message) == ("SpecInvalid", True)
    assert caught.value.message.startswith("spec.source.http.url: ")
    assert "hush" not in caught.value.message


@pytest.mark.parametrize(
    ("url", "prefix", "name"),
    [
        (URL, "https://files.example/day/", "data.csv"),
        ("https://files.example/data.csv", "https://files.example/", "data.csv"),
        ("https://files.example/export/", "https://files.example/", "export/"),
        ("https://files.example/", "https://", "files.example/"),
        ("https://files.example", "https://", "files.example"),
        ("https://files.example?q=a/b", "https://", "files.example"),
    ],
)
def test_the_name_of_the_file(url: str, prefix: str, name: str) -> None:
    assert web.file_prefix(url) == prefix
    assert web.shown(url) == prefix + name


@pytest.mark.parametrize(
    ("location", "leads"),
    [
        ("/other?x=1", "https://files.example/other?x=1"),
        ("other", "https://files.example/day/other"),
        ("//mirror.example/x", "https://mirror.example/x"),
        ("https://mirror.example/x", "https://mirror.example/x"),
    ],
)
def test_where_a_redirect_leads(location: str, leads: str) -> None:
    for status in (301, 302, 303, 307, 308):
        assert web.next_hop(URL, status, {"location": location}) == leads
    assert web.next_hop(URL, 200, {"Location": location}) is None


@pytest.mark.parametrize(
    ("location", "words"),
    [
        ("http://files.example/x", "from https to http"),
        ("ftp://files.example/x", "no URL of http or https"),
        ("https://a:hush@files.example/", "without credentials"),
        ("javascript:alert(1)", "no URL of http or https"),
    ],
)
def test_where_a_redirect_may_not_lead(location: str, words: str) -> None:
    with pytest.raises(WebError, match=words) as caught:
        web.next_hop(URL, 302, {"Location": location})
    assert "hush" not in caught.value.message


@pytest.mark.parametrize(
    ("other", "same"),
    [
        ("https://files.example/other", True),
        ("https://files.example:443/other", True),
        ("https://FILES.example/other", True),
        ("https://files.example:8443/other", False),
        ("http://files.example/other", False),
        ("https://files.example.evil/other", False),
        ("https://sub.files.example/other", False),
    ],
)
def test_who_may_see_credentials(other: str, same: bool) -> None:
    assert web.same_origin(URL, other) is same


@pytest.mark.parametrize(
    ("status", "headers", "found"),
    [
        (200, {"ETag": '"a"', "Content-Length": "5"}, RemoteFile('"a"', None, 5)),
        (200, {"etag": 'W/"a"'}, RemoteFile('W/"a"', None, None)),
        (200, {"Last-Modified": "day"}, RemoteFile(None, "day", None)),
        (206, {"Content-Length": "1", "Content-Range": "bytes 0-0/5"}, RemoteFile(length=5)),
        (206, {"Content-Length": "1", "Content-Range": "bytes 0-0/*"}, RemoteFile()),
        (416, {"Content-Length": "9", "Content-Range": "bytes */0"}, RemoteFile(length=0)),
        (200, {"Content-Length": "-1"}, RemoteFile()),
        (200, {"Content-Length": "\u0665"}, RemoteFile()),
    ],
)
def test_what_a_server_says_of_a_file(
    status: int, headers: dict[str, str], found: RemoteFile
) -> None:
    assert RemoteFile.of(status, headers) == found


def test_what_tells_a_file_from_another() -> None:
    files = [RemoteFile(e, m, n) for e in ("a", None) for m in ("b", None) for n in (1, 2, None)]
    assert len({file.fingerprint for file in files}) == len(files)
    assert [file.weak for file in files].count(True) == 3


@pytest.mark.parametrize(
    ("file", "validator"),
    [
        (RemoteFile('"a"', "day"), '"a"'),
        (RemoteFile('W/"a"', "day"), "day"),
        (RemoteFile('W/"a"'), None),
        (RemoteFile(None, "day"), "day"),
        (RemoteFile(), None),
    ],
)
def test_by_what_reading_is_taken_up(file: RemoteFile, validator: str | None) -> None:
    assert file.validator == validator


@pytest.mark.parametrize(
    ("other", "agrees"),
    [
        (RemoteFile('"a"', "day", 5), True),
        (RemoteFile('"a"', None, None), True),
        (RemoteFile(None, None, 5), True),
        (RemoteFile('"b"', "day", 5), False),
        (RemoteFile('"a"', "night", 5), False),
        (RemoteFile('"a"', "day", 6), False),
    ],
)
def test_what_may_be_one_file(other: RemoteFile, agrees: bool) -> None:
    assert RemoteFile('"a"', "day", 5).agrees_with(other) is agrees


@pytest.mark.parametrize(
    ("name", "value", "fault"),
    [
        ("Authorization", "Bearer x", False),
        ("X-Api-Key", "", False),
        ("x.y_z", "a", False),
        ("Host", "x", True),
        ("RANGE", "bytes=0-", True),
        ("Transfer-Encoding", "chunked", True),
        ("a b", "x", True),
        ("a:b", "x", True),
        ("X", "a\nHost: b", True),
        ("X", "a\x00", True),
        ("X", "\u00fc", True),
    ],
)
def test_what_may_be_a_header(name: str, value: str, fault: bool) -> None:
    assert bool(web.header_fault(name, value)) is fault


def test_a_secret_wins_over_what_is_usual() -> None:
    sent = web.request_headers({"user-agent": "me", "X": "y"})
    assert sent == {"Accept": "*/*", "Accept-Encoding": "identity", "user-agent": "me", "X": "y"}
