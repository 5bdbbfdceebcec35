"""Where files come to lie, and that nothing leads out of their directory."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from tests.unit.data_api.bucket import digest_of

from tidemill.cli import words
from tidemill.cli.data import Broken
from tidemill.cli.download import Download, places
from tidemill.cli.failure import Failure
from tidemill.store.manifest import Entry, Manifest

SCHEMA = "sha256:" + "0" * 64


def entry(key: str, content: bytes = b"x") -> Entry:
    return Entry(key, digest_of(content), len(content))


class Source:
    """Gives an object's pieces; breaks as often as it is told to."""

    def __init__(self, breaks: int = 0) -> None:
        self.breaks = breaks

    @contextmanager
    def opened(self, _: str, tail: str) -> Iterator[Iterator[bytes]]:
        def pieces() -> Iterator[bytes]:
            yield b"con"
            if self.breaks:
                self.breaks -= 1
                raise Broken(tail)
            yield b"tent"

        yield pieces()


def download(directory: Path, key: str, breaks: int = 0, seen: Any = lambda _: None) -> None:
    source: Any = Source(breaks)
    manifest = Manifest.of("CSV", SCHEMA, [entry(key, b"content")])
    Download(source, "power", directory, seen).run(manifest)


@pytest.mark.parametrize(
    ("keys", "paths"),
    [
        (["a.csv"], ["a.csv"]),
        (["/a.csv"], ["a.csv"]),
        (["year=2026/a b.csv", "ü"], ["year=2026/a b.csv", "ü"]),
        (["..a", "a..", "..."], ["..a", "a..", "..."]),
    ],
)
def test_a_key_is_a_path_below(keys: list[str], paths: list[str]) -> None:
    assert list(places([entry(key) for key in keys])) == paths


@pytest.mark.parametrize(
    "keys",
    [
        [".."],
        ["../a"],
        ["/../a"],
        ["a/.."],
        ["a/../../b"],
        ["."],
        [""],
        ["/"],
        ["a//b"],
        ["a/"],
        ["a\nb"],
        ["a\x1bb"],
        ["ü" * 128],
        ["a", "/a"],
        ["a", "a/b"],
        ["a/b/c", "a/b"],
        [".tidemill-part-x"],
    ],
)
def test_a_key_that_is_none_is_refused(keys: list[str]) -> None:
    with pytest.raises(Failure, match="cannot be a file"):
        places([entry(key) for key in keys])


def test_a_link_in_the_directory_is_not_followed_out_of_it(tmp_path: Path) -> None:
    outside, inside = tmp_path / "outside", tmp_path / "inside"
    outside.mkdir()
    inside.mkdir()
    (inside / "link").symlink_to(outside)
    (inside / "file").symlink_to(outside / "precious")
    (inside / "folder").mkdir()
    for key in ("link/a.csv", "link/deep/a.csv", "file", "folder"):
        with pytest.raises(Failure):
            download(inside, key)
    assert list(outside.iterdir()) == []


def test_a_connection_that_breaks_is_made_again_and_nothing_half_is_left(tmp_path: Path) -> None:
    amounts: list[int] = []
    download(tmp_path, "a/b", breaks=3, seen=amounts.append)
    assert (tmp_path / "a/b").read_bytes() == b"content"
    assert sum(amounts) == len(b"content")
    with pytest.raises(Failure, match="goes on from here"):
        download(tmp_path, "c", breaks=9)
    assert [path.name for path in tmp_path.rglob("*") if path.is_file()] == ["b"]


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain ü 数", "plain ü 数"),
        ("\x1b[2J", "�[2J"),
        ("a\nb\tc\r", "a�b�c�"),
        ("\u202eright to left", "�right to left"),
        ("\x9bm\u2028\ud800", "�m��"),
    ],
)
def test_words_cannot_command_a_terminal(text: str, shown: str) -> None:
    assert words.plain(text) == shown


def test_words_for_people() -> None:
    assert [words.size(n) for n in (0, 1023, 1536, 5 * 1024**4)] == [
        "0 B",
        "1023 B",
        "1.5 KiB",
        "5.0 TiB",
    ]
    assert words.plain("abcdef", 4) == "abc…"
    assert (words.age(None), words.age("never")) == ("", "")
    assert words.age("2020-01-01T00:00:00Z").endswith("d")
