"""A volume that others write to: nothing outside of it is read, and what cannot be is named."""

import os
import re
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from tests.unit.runner.sources.volume_scene import FOLDER, OLD, Claim, failure, keys

from tidemill.store import digests
from tidemill_runner.exits import Exit
from tidemill_runner.sources.volume import Volume

NOBODY = 65532


def test_a_name_that_is_no_text_is_told(claim: Claim) -> None:
    claim.put("a.csv")
    folder = claim.root / FOLDER
    (folder / "a.csv").rename(folder / os.fsdecode(b"\xff.csv"))
    told = failure(claim.origin().objects)
    assert told.reason == "WrongEncoding"
    assert rf"{FOLDER}/\xff.csv" in told.message
    assert failure(claim.origin(include=["a*"]).objects).reason == "PrefixEmpty"


def link(path: Path) -> None:
    path.symlink_to("/etc/hostname")


def folder_link(path: Path) -> None:
    path.symlink_to("/etc")


def bound(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as made:
        here = os.open(path.parent, os.O_PATH)
        try:  # such an address is short
            made.bind(f"/proc/self/fd/{here}/{path.name}")
        finally:
            os.close(here)


@pytest.mark.parametrize(
    ("make", "kind"),
    [
        (link, "symbolic link"),
        (folder_link, "symbolic link"),
        (os.mkfifo, "named pipe"),
        (bound, "socket"),
    ],
    ids=["link", "link to a folder", "pipe", "socket"],
)
def test_what_is_no_file_is_refused_by_name_and_left_out_by_globs(
    claim: Claim, make: Callable[[Path], None], kind: str
) -> None:
    claim.put("a.csv")
    make(claim.root / FOLDER / "odd")
    make(claim.root / FOLDER / ".odd")
    told = failure(claim.origin().objects)
    assert (told.reason, told.exit_code) == ("MalformedFile", Exit.DATA)
    assert f"{FOLDER}/odd on the volume of claim deliveries is a {kind}" in told.message
    assert "spec.source.pvc.include" in told.message
    assert keys(claim.origin(include=["*.csv"])) == ["a.csv"]


@pytest.mark.parametrize(
    "path",
    [
        "out",
        "out/passwd.d",
        "..",
        "power/../../x",
        "power/.",
        "power/2026/a.csv",
        "power/2026/a.csv/x",
    ],
)
def test_a_path_through_a_link_or_a_file_is_refused(claim: Claim, path: str) -> None:
    claim.put("a.csv")
    (claim.root / "out").symlink_to("/etc")
    told = failure(claim.origin(path=path).objects)
    assert (told.reason, told.exit_code) == ("SpecInvalid", Exit.USER)
    assert f"spec.source.pvc.path: {path}" in told.message


@pytest.mark.parametrize("part", ["deep", "deep/er", "deep/er/a.csv"])
def test_a_link_put_where_something_was_leads_nowhere(
    claim: Claim, tmp_path: Path, part: str
) -> None:
    claim.put("deep/er/a.csv")
    origin = claim.origin()
    [info] = origin.objects()
    moved = claim.root / FOLDER / part
    moved.rename(tmp_path / "outside")  # the very same file, so that nothing but the link tells
    moved.symlink_to(tmp_path / "outside")
    told = failure(lambda: origin.fetch(info, tmp_path / "copy", lambda _: None))
    assert (told.reason, "was moved or removed" in told.message) == ("SourceChanged", True)
    assert not (tmp_path / "copy").exists()


def test_a_pipe_put_where_a_file_was_is_waited_for_by_nobody(claim: Claim, tmp_path: Path) -> None:
    path = claim.put("a.csv")
    origin = claim.origin()
    [info] = origin.objects()
    path.unlink()
    os.mkfifo(path)
    told = failure(lambda: origin.fetch(info, tmp_path / "copy", lambda _: None))
    assert (told.reason, "named pipe" in told.message) == ("SourceChanged", True)


@pytest.fixture
def shut() -> Iterator[Claim]:
    """A volume that others own: this process may do no more than the pod's user."""
    root = Path(tempfile.mkdtemp(prefix="volume-"))
    root.chmod(0o755)
    made = Claim(root)
    made.put("a.csv")
    made.put("sub/b.csv")
    mine = os.geteuid()
    try:
        yield made
    finally:
        os.seteuid(mine)
        shutil.rmtree(root)


@pytest.mark.parametrize(
    ("closed", "mode"),
    [(f"{FOLDER}/sub", 0o700), (f"{FOLDER}/sub", 0o744), (FOLDER, 0o700), ("power", 0o700)],
    ids=["a folder", "a folder that cannot be entered", "the path", "above the path"],
)
def test_a_folder_that_may_not_be_read_is_named(shut: Claim, closed: str, mode: int) -> None:
    if os.geteuid():
        pytest.skip("needs root, to become somebody else")
    (shut.root / closed).chmod(mode)
    os.seteuid(NOBODY)
    told = failure(shut.origin().objects)
    assert (told.reason, told.exit_code) == ("AccessDenied", Exit.USER)
    assert f"{FOLDER}" in told.message
    assert f"user {NOBODY}" in told.message
    assert "chmod" in told.message


def test_a_file_that_may_not_be_read_is_named(shut: Claim) -> None:
    if os.geteuid():
        pytest.skip("needs root, to become somebody else")
    (shut.root / FOLDER / "a.csv").chmod(0o600)
    (shut.root / "power").chmod(0o711)  # it need not be listed, to pass
    os.seteuid(NOBODY)
    origin = shut.origin()
    [info, _] = origin.objects()
    copy = Path("/dev/null")
    told = failure(lambda: origin.fetch(info, copy, lambda _: None))
    assert told.reason == "AccessDenied"
    assert f"{FOLDER}/a.csv on the volume of claim deliveries may not be read" in told.message


def test_a_hidden_folder_need_not_be_read(shut: Claim) -> None:
    if os.geteuid():
        pytest.skip("needs root, to become somebody else")
    (shut.root / FOLDER / ".trash").mkdir(mode=0o700)
    (shut.root / FOLDER / "_temporary").mkdir(mode=0o700)
    os.seteuid(NOBODY)
    assert keys(shut.origin()) == ["a.csv", "sub/b.csv"]


def test_a_volume_that_has_a_fault_is_tried_again(
    claim: Claim, monkeypatch: pytest.MonkeyPatch
) -> None:
    claim.put("a.csv")

    def broken(*_: object) -> object:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(os, "scandir", broken)
    told = failure(claim.origin().objects)
    assert (told.reason, told.exit_code) == ("SourceUnavailable", Exit.INFRASTRUCTURE)
    assert "Input/output error" in told.message


def test_ten_thousand_files_are_read(claim: Claim, tmp_path: Path) -> None:
    for number in range(10_000):
        claim.put(f"{number % 100:02d}/{number:05d}.csv", b"a\n%d\n" % number)
    before = len(list(Path("/proc/self/fd").iterdir()))
    origin = claim.origin()
    found = origin.objects()
    for info in found[99::100]:
        digest = origin.fetch(info, tmp_path / "copy", lambda _: None)
    assert (len(found), digest) == (10_000, digests.sha256_digest(b"a\n9999\n"))
    # Fewer, where what an earlier test has left was cleared away meanwhile.
    assert len(list(Path("/proc/self/fd").iterdir())) <= before


def test_more_than_the_limit_are_refused_before_they_fill_the_memory(claim: Claim) -> None:
    for number in range(4):
        claim.put(f"{number}.csv")
    volume = Volume(claim.root, "deliveries", limit=4)
    assert len(volume.walk(FOLDER)) == 4
    claim.put("sub/5.csv")
    told = failure(lambda: volume.walk(FOLDER))
    assert told.reason == "SpecInvalid"
    assert re.search("more than 4 files .* narrow spec.source.pvc.path", told.message)


def test_folders_however_deep(claim: Claim) -> None:
    """Deeper than names may be long, and than files may be open."""
    depth, here = 1100, os.open(claim.root, os.O_PATH)
    for _ in range(depth):
        os.mkdir("deep", dir_fd=here)
        here, above = os.open("deep", os.O_PATH, dir_fd=here), here
        os.close(above)
    os.close(os.open("a.csv", os.O_WRONLY | os.O_CREAT, 0o644, dir_fd=here))
    os.utime("a.csv", (OLD, OLD), dir_fd=here)
    os.close(here)
    [info] = claim.origin(path="").objects()
    subprocess.run(["rm", "-rf", str(claim.root / "deep")], check=True)  # not every tool can
    assert info.key.removeprefix("power/") == "deep/" * depth + "a.csv"
