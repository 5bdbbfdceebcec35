"""Tokens of a Secret: whose they are, how they are written, what is left out, when they change."""

import hashlib
import logging
from pathlib import Path

import pytest
from tests.support.authority import mount

from tidemill_server import watched
from tidemill_server.access.guard import Guard
from tidemill_server.access.tokens import Tokens, read_tokens
from tidemill_server.protocol.errors import ProtocolError

GOOD = b"abcdefghijklmnop"


@pytest.mark.parametrize(
    ("value", "word"),
    [
        (b"short", "16 characters"),
        (b"", "16 characters"),
        (b"abcdefgh ijklmnopq", "letters, digits"),
        (b"sha256:" + b"0" * 63, "64 hexadecimal"),
        (b"sha256:" + b"G" * 64, "64 hexadecimal"),
        (b"\xff" * 20, "no text"),
        (b"a" * 70_000, "larger"),
    ],
)
def test_what_is_no_token_is_told_by_its_key_and_left_out(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, value: bytes, word: str
) -> None:
    folder = mount(tmp_path / "tokens", {"ana": GOOD, "bob": value})
    found = read_tokens(folder)
    assert list(found.values()) == ["ana"]
    assert word in caplog.text
    assert "bob" in caplog.text
    if len(value) >= 16:
        assert value.decode("latin-1") not in caplog.text


def test_a_token_is_known_as_it_is_or_by_its_digest(tmp_path: Path) -> None:
    hashed = b"sha256:" + hashlib.sha256(b"qrstuvwxyz012345").hexdigest().encode()
    files = {"ana": GOOD + b"\n", "bob": hashed + b"\n"}
    tokens = Tokens(mount(tmp_path / "tokens", files))
    assert tokens.whose(GOOD) == "ana"
    assert tokens.whose(b"qrstuvwxyz012345") == "bob"
    assert tokens.whose(hashed) is None
    assert tokens.whose(b"") is None


def test_a_token_that_is_taken_away_counts_no_more(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watched, "LOOK_SECONDS", 0.0)
    folder = mount(tmp_path / "tokens", {"ana": GOOD})
    tokens = Tokens(folder)
    assert tokens.whose(GOOD) == "ana"
    mount(folder, {"bob": b"qrstuvwxyz012345"})
    assert tokens.whose(GOOD) is None
    assert tokens.whose(b"qrstuvwxyz012345") == "bob"
    mount(folder, {})
    assert tokens.whose(b"qrstuvwxyz012345") is None


def test_nobody_is_let_in_by_a_secret_without_tokens(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    tokens = Tokens(mount(tmp_path / "tokens", {}))
    assert tokens.whose(b"") is None
    assert "there is no token" in caplog.text


def test_what_cannot_be_read_anew_leaves_what_was_there(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    file = tmp_path / "file"
    file.write_text("1")
    moment = [0.0]
    number = watched.Watched(file, lambda path: int(path.read_text()), lambda: moment[0])
    file.write_text("two")
    assert number.now == 1, "it is looked at once a second"
    moment[0] = 1.0
    with caplog.at_level(logging.ERROR):
        assert number.now == 1
    assert "holds on" in caplog.text
    file.write_text("three")
    moment[0] = 2.0
    assert number.now == 1
    file.write_text("4")
    moment[0] = 3.0
    assert number.now == 4
    assert number.changes == 1


@pytest.mark.parametrize(
    ("headers", "status", "word"),
    [
        ([], 401, "must bear a token"),
        ([b"Basic YTpi"], 401, "sent once, as"),
        ([b"Bearer"], 401, "sent once, as"),
        ([b"Bearer " + GOOD, b"Bearer " + GOOD], 401, "sent once, as"),
        ([b"Bearer qrstuvwxyz012345"], 401, "not known"),
        ([b"Bearer " + GOOD + b"x"], 401, "not known"),
        ([b"Bearer "], 401, "not known"),
        ([b"Bearer " + b"a" * 20_000], 401, "longer"),
    ],
)
def test_who_is_not_let_in_is_told_why_as_rfc_6750_has_it(
    tmp_path: Path, headers: list[bytes], status: int, word: str
) -> None:
    guard = Guard(Tokens(mount(tmp_path / "tokens", {"ana": GOOD})), None)
    with pytest.raises(ProtocolError) as caught:
        guard.check([(b"host", b"x"), *((b"authorization", value) for value in headers)])
    assert caught.value.status == status
    assert word in caught.value.message
    told = dict(caught.value.headers)[b"www-authenticate"]
    assert told.startswith(b"Bearer")
    assert (b'error="invalid_token"' in told) == bool(headers)


@pytest.mark.parametrize("scheme", [b"Bearer ", b"bearer ", b"BEARER  "])
def test_the_scheme_may_be_in_any_case(tmp_path: Path, scheme: bytes) -> None:
    guard = Guard(Tokens(mount(tmp_path / "tokens", {"ana": GOOD})), None)
    guard.check([(b"authorization", scheme + GOOD)])
