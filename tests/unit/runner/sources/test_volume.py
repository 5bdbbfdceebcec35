"""Files on a volume: which are read, what is no way out of it, and what happens meanwhile."""

import gzip
import os
import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.unit.runner.workshop import Workshop

from tidemill.store import digests
from tidemill_runner.failures import Failure
from tidemill_runner.files.delivery import Delivery
from tidemill_runner.inputs import PvcSource
from tidemill_runner.sources import pvc, volume
from tidemill_runner.sources.pvc import PvcOrigin

OLD = 1_700_000_000
CSV = "a,b\n1,2\n3,4\n"
NOBODY = 65534


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Give the volume, beside a file that is not on it."""
    (tmp_path / "secret.csv").write_text("secret\n1\n")
    made = tmp_path / "volume"
    made.mkdir()
    return made


def put(root: Path, name: str, data: str | bytes = CSV, written: float = OLD) -> Path:
    path = root / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data.encode() if isinstance(data, str) else data)
    os.utime(path, (written, written))
    return path


class Time:
    """A clock that moves while one sleeps; then something else may happen."""

    def __init__(self) -> None:
        self.now = float(OLD + 3600)
        self.slept: list[float] = []
        self.meanwhile: list[Callable[[], object]] = []

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds
        if self.meanwhile:
            self.meanwhile.pop(0)()


@pytest.fixture
def time() -> Time:
    return Time()


@pytest.fixture
def origin(root: Path, time: Time) -> Callable[..., PvcOrigin]:
    def make(path: str = "", include: tuple[str, ...] = (), settle: float = 10.0) -> PvcOrigin:
        delivery = Delivery("CSV", f"{path}/" if path else "")
        source = PvcSource("deliveries", path, delivery, settle, include)
        return PvcOrigin(source, root, lambda: time.now, time.sleep)

    return make


Make = Callable[..., PvcOrigin]


def keys(made: PvcOrigin) -> list[str]:
    return [info.key for info in made.objects()]


def test_every_regular_file_below_the_folder_is_read(root: Path, origin: Make, time: Time) -> None:
    for name in ("day/b.csv", "day/a.csv", "day/more/c.csv", "other/d.csv", "dayx/e.csv"):
        put(root, name)
    for name in ("day/_SUCCESS", "day/.hidden.csv", "day/_tmp/x.csv", "day/.git/x.csv"):
        put(root, name)
    assert keys(origin("day")) == ["day/a.csv", "day/b.csv", "day/more/c.csv"]
    assert keys(origin("day", ("*.csv",))) == ["day/a.csv", "day/b.csv"]
    assert len(keys(origin())) == 5
    assert time.slept == []


def test_nothing_leads_out_of_the_volume(root: Path, origin: Make, tmp_path: Path) -> None:
    put(root, "day/a.csv")
    (root / "day/link.csv").symlink_to(tmp_path / "secret.csv")
    (root / "day/up").symlink_to(tmp_path)
    os.mkfifo(root / "day/pipe.csv")
    with socket.socket(socket.AF_UNIX) as door:
        door.bind(str(root / "day/socket.csv"))
        assert keys(origin("day")) == ["day/a.csv"]
    (root / "away").symlink_to(tmp_path)
    for path in ("away", "day/up", "day/link.csv", "none", "day/a.csv"):
        with pytest.raises(Failure, match="is no folder") as refused:
            origin(path).objects()
        assert refused.value.reason == "PrefixEmpty"


@pytest.mark.parametrize("trick", ["link", "pipe", "folder", "gone", "folder above", "other file"])
def test_what_became_another_since_it_was_listed_is_not_read(
    root: Path, origin: Make, tmp_path: Path, trick: str
) -> None:
    path = put(root, "day/a.csv")
    made = origin("day")
    [info] = made.objects()
    if trick == "folder above":
        (root / "day").rename(root / "before")
        (tmp_path / "elsewhere").mkdir()
        put(tmp_path, "elsewhere/a.csv")
        (root / "day").symlink_to(tmp_path / "elsewhere")
    else:
        path.unlink()
        if trick == "link":
            path.symlink_to(tmp_path / "secret.csv")
        elif trick == "pipe":
            os.mkfifo(path)
        elif trick == "folder":
            path.mkdir()
        elif trick == "other file":
            put(root, "x", CSV)
            put(root, "day/a.csv", CSV)
            os.utime(path, (OLD + 1, OLD + 1))
    with pytest.raises(Failure) as refused:
        made.fetch(info, tmp_path / "copy", lambda _: None)
    assert refused.value.reason == "SourceChanged"
    assert "day/a.csv" in refused.value.message


def test_a_file_that_grows_while_it_is_read(root: Path, origin: Make, tmp_path: Path) -> None:
    path = put(root, "a.csv", CSV * 300_000)
    made = origin()
    [info] = made.objects()
    grown = False

    def grow(_: int) -> None:
        nonlocal grown
        if not grown:
            grown = True
            with path.open("a") as file:
                file.write(CSV)

    with pytest.raises(Failure, match=r"a\.csv was written to while it was read"):
        made.fetch(info, tmp_path / "copy", grow)
    # And it is not copied for ever, however fast it grows.
    assert (tmp_path / "copy").stat().st_size <= info.size + pvc.BLOCK


def test_files_that_come_or_go_between_are_seen_at_the_end(root: Path, origin: Make) -> None:
    put(root, "a.csv")
    made = origin()
    made.objects()
    assert keys(made) == ["a.csv"]
    put(root, "b.csv")
    with pytest.raises(Failure, match="are not those that were listed before"):
        made.objects()


def test_a_young_file_is_waited_for(root: Path, origin: Make, time: Time) -> None:
    put(root, "old.csv")
    put(root, "young.csv", "a", time.now - 1)
    time.meanwhile = [lambda: put(root, "young.csv", CSV, time.now)]
    assert keys(origin()) == ["old.csv", "young.csv"]
    assert time.slept == [10, 10]  # it changed in the first wait


def test_a_clock_that_is_ahead_costs_one_wait(root: Path, origin: Make, time: Time) -> None:
    put(root, "a.csv", CSV, time.now + 86_400)
    assert keys(origin()) == ["a.csv"]
    assert time.slept == [10]


def test_no_wait_where_none_is_asked_for(root: Path, origin: Make, time: Time) -> None:
    put(root, "a.csv", CSV, time.now)
    assert keys(origin(settle=0)) == ["a.csv"]
    assert time.slept == []


def test_what_never_comes_to_rest_is_given_up(root: Path, origin: Make, time: Time) -> None:
    def write() -> None:
        put(root, "a.csv", CSV, time.now)
        time.meanwhile.append(write)

    write()
    with pytest.raises(Failure, match="do not come to rest for 10 s") as refused:
        origin().objects()
    assert refused.value.reason == "SourceChanged"
    assert len(time.slept) == pvc.MAX_WAITS


@pytest.mark.parametrize(
    ("files", "include", "tells"),
    [
        ((), (), "no object lies under day on the volume of the claim deliveries"),
        (("day/_a", "day/.b"), (), "names that start with a dot or an underscore are left out"),
        (("day/a.csv",), ("*.parquet",), "matches spec.source.pvc.include, the first is a.csv"),
    ],
    ids=["empty", "hidden", "no match"],
)
def test_nothing_to_read(
    root: Path, origin: Make, files: tuple[str, ...], include: tuple[str, ...], tells: str
) -> None:
    (root / "day").mkdir()
    for name in files:
        put(root, name)
    with pytest.raises(Failure) as refused:
        origin("day", include).objects()
    assert refused.value.reason == "PrefixEmpty"
    assert tells in refused.value.message
    assert "spec.source.s3" not in refused.value.message


@pytest.fixture
def as_nobody() -> Iterator[None]:
    if os.geteuid() != 0:
        pytest.skip("only root can become somebody without rights")
    os.seteuid(NOBODY)
    try:
        yield
    finally:
        os.seteuid(0)


def test_what_may_not_be_read_is_named(
    root: Path, origin: Make, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    for folder in (tmp_path, *tmp_path.parents[:3]):
        folder.chmod(0o755)
    put(root, "open/a.csv").chmod(0o600)
    put(root, "shut/b.csv")
    (root / "shut").chmod(0o700)
    request.getfixturevalue("as_nobody")
    copies = Path("/tmp")
    made = origin("open")
    with pytest.raises(Failure, match=r"open/a\.csv on the volume may not be read") as refused:
        made.fetch(made.objects()[0], copies / f"copy-{os.getpid()}", lambda _: None)
    assert refused.value.reason == "AccessDenied"
    assert "65532" in refused.value.message
    with pytest.raises(Failure, match="shut") as refused:
        origin().objects()
    assert refused.value.reason == "AccessDenied"


def test_a_name_that_is_no_text(root: Path, origin: Make) -> None:
    (root / os.fsdecode(b"a\xff.csv")).write_text(CSV)
    with pytest.raises(Failure, match=r"a\\udcff\.csv is not written in UTF-8"):
        origin().objects()


def test_too_many_files(root: Path, origin: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(volume, "MAX_LISTED", 3)
    for number in range(4):
        put(root, f"{number}.csv")
    with pytest.raises(Failure, match=r"more than 3 files .* narrow spec\.source\.pvc\.path"):
        origin().objects()


def test_descriptors_are_given_back(root: Path, origin: Make, tmp_path: Path) -> None:
    for number in range(50):
        put(root, f"{number % 7}/{number}.csv")
    before = sum(1 for _ in Path("/proc/self/fd").iterdir())
    made = origin()
    for info in made.objects():
        made.fetch(info, tmp_path / "copy", lambda _: None)
    assert sum(1 for _ in Path("/proc/self/fd").iterdir()) == before


def ingested(root: Path, workshop: Workshop, **source: Any) -> dict[str, Any]:
    asked = {
        "kind": "Pvc",
        "claim": "deliveries",
        "path": "",
        "format": "CSV",
        "settleSeconds": 0,
        **source,
    }
    return workshop.ingest_from(asked, digests.sha256_digest(b"x"), Path("none"), root)


def test_a_folder_becomes_the_version_that_a_bucket_would_give(root: Path, tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    workshop = Workshop(tmp_path / "a")
    workshop.deliver(one_csv=CSV, two_csv=gzip.compress(CSV.encode(), mtime=0))
    put(root, "day/one.csv")
    put(root, "day/two.csv", gzip.compress(CSV.encode(), mtime=0))
    found = ingested(root, Workshop(tmp_path / "b"), path="day")
    assert found["version"] == workshop.ingest()["version"]
    assert (found["rows"], found["objects"]) == (4, 2)


def test_folders_may_be_columns(root: Path, tmp_path: Path) -> None:
    put(root, "day/site=x/a.csv")
    put(root, "day/site=y/a.csv")
    found = ingested(root, Workshop(tmp_path), path="day", partitions="Hive")
    assert [column["name"] for column in found["columns"]] == ["a", "b", "site"]
