"""What is told of a code's progress while it trains, and what is kept of its checkpoint."""

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.runner.memory import MemoryStorage
from tests.unit.runner.user_code.pod import CHECKPOINT

from tidemill.store import digests, errors
from tidemill_runner.progress import Progress, Subject
from tidemill_runner.storage import Storage
from tidemill_runner.user_code import checkpoint as checkpoints
from tidemill_runner.user_code import telling
from tidemill_runner.user_code.checkpoint import Checkpoint
from tidemill_runner.user_code.follow import Follower
from tidemill_runner.user_code.rooms import Rooms
from tidemill_runner.user_code.telling import Said

LINES: dict[str, Said | None] = {
    "progress=40 metric=auc:0.91 message=the third epoch": Said(
        40, ("auc", 0.91), "the third epoch"
    ),
    "progress=40": Said(40),
    "progress=40.5 message=x": Said(40.5, None, "x"),
    "message=only words, progress=3": Said(None, None, "only words, progress=3"),
    "metric=loss:1e-3": Said(None, ("loss", 0.001)),
    "progress=1e9": Said(100),
    "progress=-3": Said(0),
    "progress=nan": None,
    "progress=1e999": Said(),
    "progress= 40": None,
    "metric=a:b": None,
    "metric=loss:inf": None,
    "": None,
    "   ": None,
    "epoch 3 of 10": None,
    "name=other uid=u-2 progress=99": None,
    "progress=40 uid=u-2": None,
    "message=\x1b[31mred\x07": Said(message="[31mred"),
    "message=" + "x" * 5000: Said(message="x" * 200),
}


@pytest.mark.parametrize("line", LINES)
def test_a_line_says_what_it_says(line: str) -> None:
    assert telling.parse(line) == LINES[line]


@given(st.binary(max_size=300), st.binary(max_size=5000))
def test_whatever_the_file_holds_the_last_line_that_says_something_counts(
    before: bytes, after: bytes
) -> None:
    folder = Path(os.environ.get("PYTEST_TMP") or "/tmp") / f"telling-{os.getpid()}"
    folder.mkdir(exist_ok=True)
    (folder / "progress").write_bytes(before + b"\nprogress=7\n" + after.replace(b"\n", b"")[:100])
    assert telling.last(folder) == Said(7)
    (folder / "progress").write_bytes(after)
    said = telling.last(folder)
    assert said is None or len(said.message) <= 200


class Bench:
    """A follower, the folders that it looks at, and what it tells."""

    def __init__(self, folder: Path) -> None:
        self.rooms = Rooms.of(*(folder / name for name in ("work", "state", "code", "secret")))
        self.rooms.output.mkdir(parents=True)
        self.rooms.checkpoint.mkdir()
        (folder / "scratch").mkdir()
        self.folder = folder
        self.store = MemoryStorage()
        self.progress = Recorded()
        self.follower = Follower(self.rooms, self.progress, self.checkpoint())

    def checkpoint(self) -> Checkpoint:
        """As a pod begins with it."""
        return Checkpoint(cast("Storage", self.store), CHECKPOINT, self.folder / "scratch")

    def say(self, *lines: str) -> None:
        (self.rooms.output / "progress").write_text("".join(f"{line}\n" for line in lines))

    def put(self, **files: str) -> None:
        for name, content in files.items():
            path = self.rooms.checkpoint / name.replace("__", "/").replace("_", ".")
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(content)

    def restored(self) -> dict[str, str]:
        """What the next pod finds in its folder."""
        folder = self.folder / f"next-{len(list(self.folder.iterdir()))}"
        folder.mkdir()
        self.checkpoint().restore(folder)
        found = (path for path in sorted(folder.rglob("*")) if path.is_file())
        return {path.relative_to(folder).as_posix(): path.read_text() for path in found}


class Recorded(Progress):
    """Progress that tells nobody and remembers."""

    def __init__(self) -> None:
        super().__init__(Subject("TrainingRun", "ns", "power", "u-1"), None)
        self.told: list[Mapping[str, Any]] = []

    def report(self, percent: float, message: str, eta_seconds: float | None = None) -> None:
        super().report(percent, message, eta_seconds)
        assert self._latest
        self.told.append(self._latest)


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


def test_its_percents_are_a_part_of_the_whole(bench: Bench) -> None:
    for percent in (0, 50, 100):
        bench.say(f"progress={percent} metric=auc:0.9123456 message=epoch")
        bench.follower.look()
    assert [one["percent"] for one in bench.progress.told] == [20, 47, 75]
    assert bench.progress.told[-1]["metric"] == "auc=0.9123"
    assert bench.progress.told[-1]["message"] == "epoch"


def test_a_flood_of_lines_costs_one_look_and_tells_once(bench: Bench) -> None:
    with (bench.rooms.output / "progress").open("w") as file:
        for number in range(100_000):
            file.write(f"progress={number / 1000} message=line {number}\n")
    for _ in range(10):
        bench.follower.look()
    assert [one["message"] for one in bench.progress.told] == ["line 99999"]


def test_it_speaks_for_its_own_run_alone(bench: Bench) -> None:
    """Whose progress it is stands in our document; nothing that the code writes changes it."""
    bench.say('{"name": "other", "uid": "u-2", "percent": 99}', "uid=u-2 progress=99")
    bench.follower.look()
    assert bench.progress.told == []
    bench.say("progress=10 message=name=other uid=u-2")
    bench.follower.look()
    [told] = bench.progress.told
    assert (told["name"], told["uid"]) == ("power", "u-1")


@pytest.mark.parametrize("kind", ["nothing", "a folder", "a link", "a pipe"])
def test_what_is_no_file_says_nothing(bench: Bench, kind: str) -> None:
    path = bench.rooms.output / "progress"
    if kind == "a folder":
        path.mkdir()
    if kind == "a link":
        path.symlink_to("/etc/passwd")
    if kind == "a pipe":
        os.mkfifo(path)
    bench.follower.look()
    assert bench.progress.told == []


def test_what_was_put_aside_is_there_for_the_next_pod(bench: Bench) -> None:
    bench.put(epoch_txt="3", deep__weights_bin="abc")
    bench.follower.keep()
    assert bench.restored() == {"deep/weights.bin": "abc", "epoch.txt": "3"}
    bench.put(epoch_txt="44")
    (bench.rooms.checkpoint / "deep" / "weights.bin").unlink()
    bench.follower.keep()
    assert bench.restored() == {"epoch.txt": "44"}
    assert len(bench.store.objects) == 2  # the index, and the one file


def test_what_has_not_changed_is_not_sent_again(bench: Bench) -> None:
    bench.put(a_bin="a", b_bin="b")
    bench.follower.keep()
    sent = len(bench.store.written)
    bench.follower.keep()
    assert len(bench.store.written) == sent
    bench.put(b_bin="other")
    bench.follower.keep()
    assert bench.store.written[sent:] == [
        f"{CHECKPOINT}{digests.hex_of(digests.sha256_digest(b'other'))}",
        f"{CHECKPOINT}index.json",
    ]


def test_what_is_being_written_is_left_out(bench: Bench) -> None:
    bench.put(a_bin="a", b_tmp="half", _hidden="half")
    bench.follower.keep()
    assert bench.restored() == {"a.bin": "a"}


def test_nothing_is_kept_of_links_and_pipes(bench: Bench) -> None:
    bench.put(a_bin="a")
    (bench.rooms.checkpoint / "link").symlink_to("/etc/passwd")
    (bench.rooms.checkpoint / "folder").symlink_to("/etc")
    os.mkfifo(bench.rooms.checkpoint / "pipe")
    bench.follower.keep()
    assert bench.restored() == {"a.bin": "a"}


def test_a_folder_that_becomes_a_link_while_it_is_looked_at_leads_nowhere(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else the keys of whoever looks would be in the next pod's checkpoint."""
    secret = bench.folder / "secret" / "key"
    secret.parent.mkdir(exist_ok=True)
    secret.write_text("hunter2")
    bench.put(deep__key="mine")
    looked = checkpoints._stamps

    def swapped(folder: Path) -> checkpoints.Stamps | None:
        found = looked(folder)
        (folder / "deep" / "key").unlink()
        (folder / "deep").rmdir()
        (folder / "deep").symlink_to(secret.parent)
        return found

    monkeypatch.setattr(checkpoints, "_stamps", swapped)
    bench.follower.keep()
    assert bench.store.objects == {}


def test_more_than_is_kept_leaves_what_was_kept(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench.put(a_bin="a")
    bench.follower.keep()
    monkeypatch.setattr(checkpoints, "MAX_BYTES", 10)
    bench.put(a_bin="x" * 11)
    bench.follower.keep()
    monkeypatch.setattr(checkpoints, "MAX_FILES", 1)
    bench.put(b_bin="b")
    bench.follower.keep()
    assert bench.restored() == {"a.bin": "a"}


def test_a_pod_that_dies_while_it_sends_leaves_what_was_kept(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench.put(a_bin="a")
    bench.follower.keep()

    def away(key: str, data: bytes) -> None:
        raise errors.Unavailable(f"{key}: {len(data)}")

    bench.put(a_bin="b")
    monkeypatch.setattr(bench.store, "put", away)
    bench.follower.keep()
    assert bench.restored() == {"a.bin": "a"}
    monkeypatch.undo()
    bench.follower.keep()
    assert bench.restored() == {"a.bin": "b"}


def test_the_next_pod_replaces_what_the_one_before_has_kept(bench: Bench) -> None:
    bench.put(a_bin="a")
    bench.follower.keep()
    bench.put(a_bin="b")
    following = Follower(bench.rooms, bench.progress, bench.checkpoint())
    following.run(lambda _: True)
    assert bench.restored() == {"a.bin": "b"}
    assert len(bench.store.objects) == 2


BROKEN = {
    "no JSON": "{",
    "another format": '{"format": "x", "files": {}}',
    "a path that leads out": json.dumps(
        {"format": checkpoints.FORMAT, "files": {"../x": "sha256:" + "0" * 64}}
    ),
    "an absolute path": json.dumps(
        {"format": checkpoints.FORMAT, "files": {"/etc/x": "sha256:" + "0" * 64}}
    ),
    "a file that is gone": json.dumps(
        {"format": checkpoints.FORMAT, "files": {"x": "sha256:" + "0" * 64}}
    ),
}


@pytest.mark.parametrize("case", BROKEN)
def test_a_broken_checkpoint_is_as_if_it_were_not_there(bench: Bench, case: str) -> None:
    bench.store.objects[f"{CHECKPOINT}index.json"] = BROKEN[case].encode()
    assert bench.restored() == {}


def test_a_file_that_was_changed_in_the_store_is_not_taken_up(bench: Bench) -> None:
    bench.put(a_bin="a", b_bin="b")
    bench.follower.keep()
    key = f"{CHECKPOINT}{digests.hex_of(digests.sha256_digest(b'b'))}"
    bench.store.objects[key] = b"other"
    assert bench.restored() == {}
