"""The child may die, hang, swell or lie: the parent lives and says what happened."""

import faulthandler
import os
import signal
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from tidemill_server.exits import Refused
from tidemill_server.probe.child import Prober
from tidemill_server.settings import Loading

LOADING = Loading(seconds=30, memory_bytes=64 << 20)


def kill_itself(_: Path) -> None:
    faulthandler.disable()
    os.kill(os.getpid(), signal.SIGSEGV)


def swell(_: Path) -> None:
    bytearray(1 << 30)


def hang(_: Path) -> None:
    threading.Event().wait()


def refuse(folder: Path) -> None:
    raise Refused("PickleRefused", f"no {folder.name}")


def raise_anything(_: Path) -> None:
    raise KeyError("x" * 100_000)


def leave(_: Path) -> None:
    os._exit(3)


@pytest.mark.parametrize(
    ("examine", "reason", "words"),
    [
        (kill_itself, "ModelUnloadable", "SIGSEGV"),
        (swell, "ModelUnloadable", "memory"),
        (refuse, "PickleRefused", "no folder"),
        (raise_anything, "ModelUnloadable", "KeyError"),
        (leave, "ModelUnloadable", "exit code 3"),
    ],
    ids=lambda value: getattr(value, "__name__", None),
)
def test_what_the_child_meets_is_told(
    examine: Callable[[Path], None], reason: str, words: str
) -> None:
    with pytest.raises(Refused) as refused:
        Prober.start(examine).probe(Path("folder"), LOADING)
    assert refused.value.reason == reason
    assert words in refused.value.message


def test_a_child_that_hangs_is_ended() -> None:
    prober = Prober.start(hang)
    with pytest.raises(Refused, match=r"within 0\.2 s"):
        prober.probe(Path("folder"), Loading(seconds=0.2, memory_bytes=64 << 20))
    with pytest.raises(ChildProcessError):
        os.waitpid(prober.pid, 0)


def test_a_child_that_is_content_says_nothing() -> None:
    Prober.start(lambda _: None).probe(Path("folder"), LOADING)


def test_a_child_whose_parent_ends_ends() -> None:
    prober = Prober.start(hang)
    os.close(prober.orders)
    assert os.waitpid(prober.pid, 0)[1] == 0


def test_stopping_lets_go_whoever_waits() -> None:
    prober = Prober.start(hang)
    threading.Timer(0.1, prober.stop).start()
    with pytest.raises(Refused, match="SIGKILL"):
        prober.probe(Path("folder"), LOADING)
