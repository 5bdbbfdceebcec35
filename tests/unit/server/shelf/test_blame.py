"""A model in whose predictions the process ends is found out, and loaded no more."""

import signal
import threading
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.neighbors import KNeighborsClassifier
from tests.unit.server import packages
from tests.unit.server.bucket import Bucket
from tests.unit.server.shelf.shelves import Shelf, ask, told

from tidemill_server.shelf.blame import ASKED, IDLE, LOADED, Blame, Blamed, narrowed


class _Model:
    """Looks whether it is seen while it is asked."""

    def __init__(self, folder: Path, *, fails: bool = False) -> None:
        self._folder = folder
        self._fails = fails
        self.seen: list[str] = []

    def predict(self, *_: Any) -> dict[str, np.ndarray]:
        self.seen = sorted(
            path.stem for path in self._folder.glob("*.asked") if path.read_bytes() == b"\1"
        )
        if self._fails:
            raise ValueError("no")
        return {}


def left(folder: Path, *asked: str) -> None:
    """As if the process had ended while these were asked, and others were not."""
    for name in asked:
        (folder / f"{name}.asked").write_bytes(b"\1")
    (folder / "idle.1.asked").write_bytes(b"\0")


def byte(folder: Path, model: str = "a.1") -> bytes:
    return (folder / f"{model}.asked").read_bytes()


def test_a_model_is_seen_while_it_is_loaded_and_while_it_explains(tmp_path: Path) -> None:
    class Explaining:
        seen = b""

        def explain(self, _: np.ndarray) -> Any:
            self.seen = byte(tmp_path)

        sampled = explain

    witness, explainer = Blame(tmp_path).witness("a.1"), Explaining()
    with witness.loading():
        assert byte(tmp_path) == LOADED
    assert byte(tmp_path) == IDLE
    for way in ("explain", "sampled"):
        explainer.seen = b""
        getattr(witness.of_explainer(explainer), way)(np.zeros((1, 1)))
        assert (explainer.seen, byte(tmp_path)) == (ASKED, IDLE)


def test_who_was_being_loaded_is_blamed_before_whoever_was_asked(tmp_path: Path) -> None:
    for _ in range(2):
        left(tmp_path, "good.1")
        (tmp_path / "bad.1.asked").write_bytes(LOADED)
        blame = Blame(tmp_path)
    blame.check("good.1")
    with pytest.raises(Blamed):
        blame.check("bad.1")


def test_an_end_that_was_wanted_blames_nobody(tmp_path: Path) -> None:
    for _ in range(3):
        blame = Blame(tmp_path)
        witness = blame.witness("a.1")
        with witness.loading():
            blame.end()
            assert not list(tmp_path.glob("*.asked"))
    Blame(tmp_path).check("a.1")


def test_a_model_is_seen_while_it_is_asked_and_not_after(tmp_path: Path) -> None:
    blame = Blame(tmp_path)
    for model in (_Model(tmp_path), _Model(tmp_path, fails=True)):
        witnessed = blame.witness("a.1").of_model(model)
        with suppress(ValueError):
            witnessed.predict(np.zeros((1, 1)), ())
        assert model.seen == ["a.1"]
        assert (tmp_path / "a.1.asked").read_bytes() == b"\0"


@pytest.mark.parametrize(
    ("before", "asked", "suspects"),
    [
        ("", "", ""),
        ("", "a", "a"),
        ("", "ab", "ab"),
        ("ab", "", "ab"),
        ("ab", "bc", "b"),
        ("ab", "c", "c"),
    ],
)
def test_suspect_is_who_was_asked_each_time(before: str, asked: str, suspects: str) -> None:
    assert narrowed(set(before), set(asked)) == set(suspects)


def test_who_is_blamed_twice_is_loaded_no_more(tmp_path: Path) -> None:
    left(tmp_path, "bad.1")
    Blame(tmp_path).check("bad.1")
    left(tmp_path, "bad.1")
    blame = Blame(tmp_path)
    with pytest.raises(Blamed, match="ended 2 times while this model was loaded or asked"):
        blame.check("bad.1")
    for other in ("bad.2", "idle.1"):  # another version is another model
        blame.check(other)


def test_of_several_suspects_one_is_asked_at_a_time_until_one_is_left(tmp_path: Path) -> None:
    left(tmp_path, "bad.1", "good.1")
    blame = Blame(tmp_path)
    assert blame.thread("bad.1") is blame.thread("good.1") is not None
    assert blame.thread("idle.1") is None
    for _ in range(2):  # others may be asked beside it, whoever they are
        left(tmp_path, "bad.1", "idle.1")
        blame = Blame(tmp_path)
    assert blame.thread("bad.1") is None
    blame.check("good.1")
    with pytest.raises(Blamed):
        blame.check("bad.1")


@pytest.mark.parametrize("record", [b"", b"{", b"[]", b'{"counts": 7, "suspects": []}'])
def test_a_record_that_was_cut_short_is_as_none(tmp_path: Path, record: bytes) -> None:
    (tmp_path / "blame.json").write_bytes(record)
    left(tmp_path, "a.1")
    Blame(tmp_path).check("a.1")


def test_a_process_that_is_killed_in_a_prediction_comes_up_without_it_in_the_end(
    bucket: Bucket, tmp_path: Path
) -> None:
    """The kernel's kill stands for a library's fault: to the next process both look the same."""
    shelf = Shelf(bucket, tmp_path)
    rows, target = packages.numbers(100_000)
    slow = KNeighborsClassifier(algorithm="brute").fit(rows, target)
    bad = shelf.put("bad", packages.Model(slow, rows, packages.tree().signature))
    shelf.put("good", packages.logistic())
    mark = tmp_path / "scratch" / "blame" / f"bad.{bad['digest'][7:19]}.asked"
    for _ in range(2):
        with shelf.serve() as server:
            server.wait_for_log("serving")
            assert ask(server, "good").status == 200
            asking = threading.Thread(target=_lost, args=(server,), daemon=True)
            asking.start()
            server.until(lambda _: mark.read_bytes() == b"\1")
            server.process.send_signal(signal.SIGKILL)
            server.end()
            asking.join()
    with shelf.serve() as server:
        server.wait_for_log("serving")
        assert ask(server, "good").status == 200
        found = told(server)["bad"]
        assert (found["reason"], found["digest"]) == ("ModelUnloadable", "")
        assert "ended 2 times while this model was loaded or asked" in found["message"]
        mended = shelf.put("bad", packages.tree())
        server.until(lambda one: told(one)["bad"]["digest"] == mended["digest"])


def _lost(server: Any) -> None:
    try:
        ask(server, "bad", 9_000)
    except OSError:
        return
    raise AssertionError("the process did not end")
