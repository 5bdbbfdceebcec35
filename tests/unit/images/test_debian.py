"""The base image comes from where it can be had, and from this machine's own mirror."""

import tarfile
from pathlib import Path

import pytest
from images.imagebuild import debian
from images.imagebuild.catalog import BASE
from images.imagebuild.debian import Mirrors, find_mirrors, pack, read_sources
from images.imagebuild.failure import BuildError
from tests.unit.images.fakes import FakeEngine

ONE_LINE = """\
deb [signed-by=/k.gpg] https://mirror.example/debian/ bookworm main
deb https://packages.example/apt tool main
deb http://mirror.example/debian-security bookworm-security main
"""
DEB822 = """\
Types: deb
# URIs: http://elsewhere.example/debian
URIs: http://mirror.example/debian
Suites: bookworm bookworm-updates
"""


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param(
            ONE_LINE,
            Mirrors("https://mirror.example/debian", "http://mirror.example/debian-security"),
            id="one-line",
        ),
        pytest.param(DEB822, Mirrors("http://mirror.example/debian", None), id="deb822"),
    ],
)
def test_mirrors_are_read_from_apt(text: str, expected: Mirrors) -> None:
    assert find_mirrors(text.splitlines()) == expected


def test_no_mirror_is_an_error_with_a_place_to_look() -> None:
    with pytest.raises(BuildError, match="/etc/apt names no mirror"):
        find_mirrors(["deb https://packages.example/apt tool main"])


def test_both_formats_are_read(tmp_path: Path) -> None:
    (tmp_path / "sources.list.d").mkdir()
    (tmp_path / "sources.list.d/a.list").write_text("deb http://a/debian x main\n")
    (tmp_path / "sources.list.d/b.sources").write_text(DEB822)
    assert read_sources(tmp_path) == ["deb http://a/debian x main", *DEB822.splitlines()]


def test_updates_come_from_the_same_mirrors() -> None:
    assert Mirrors("http://m/debian", "http://m/debian-security").sources().splitlines() == [
        "deb http://m/debian trixie main",
        "deb http://m/debian trixie-updates main",
        "deb http://m/debian-security trixie-security main",
    ]


def test_the_layer_leaves_documentation_out_and_keeps_the_folders(tmp_path: Path) -> None:
    root = tmp_path / "root"
    for name in ("etc/hostname", "usr/share/doc/a/copyright", "usr/share/docs", "var/log/a.log"):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text("x")
    pack(root, tmp_path / "rootfs.tar")
    with tarfile.open(tmp_path / "rootfs.tar") as archive:
        names = set(archive.getnames())
    assert {"./etc/hostname", "./usr/share/docs", "./var/log", "./dev"} <= names
    assert not names & {"./usr/share/doc", "./usr/share/doc/a/copyright", "./var/log/a.log"}


def test_what_can_be_pulled_is_not_made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(debian, "_bootstrap", lambda *_: pytest.fail("made, not pulled"))
    engine = FakeEngine()
    debian.ensure(engine, tmp_path)
    assert engine.has(BASE)


def test_what_cannot_be_pulled_is_made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[Path] = []
    monkeypatch.setattr(debian, "_bootstrap", lambda _, cache: made.append(cache))
    debian.ensure(FakeEngine(reachable=False), tmp_path)
    assert made == [tmp_path]
