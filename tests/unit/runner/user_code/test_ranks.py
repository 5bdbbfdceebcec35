"""Ranks of one run, as processes on one machine: what they are told, how they end, who stays."""

import os
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, cast

import pytest
import yaml
from tests.support.ports import free_port
from tests.unit.runner.user_code.conftest import MakePod
from tests.unit.runner.user_code.pod import CHECKPOINT, Pod, container, script

from tidemill_runner.failures import Failure
from tidemill_runner.run import Run
from tidemill_runner.train_input import TrainInput
from tidemill_runner.user_code.laid import SHIM
from tidemill_runner.user_code.mark import Board, Mark
from tidemill_runner.user_code.vigil import Vigil

SAMPLES = Path(__file__).parents[4] / "manifests" / "samples" / "scripts"
FAILS = """
import socket
def train(data, params, context):
    raise {}
"""
HOSTS = ("job-0.crew", "job-1.crew")
# As gloo says where it is.
PAIR = "[../third_party/gloo/gloo/transport/tcp/pair.cc"
BUFFER = "[../third_party/gloo/gloo/transport/tcp/unbound_buffer.cc"


class Rank(Pod):
    """A pod that is told of others."""

    @property
    def document(self) -> TrainInput:
        asked = {
            **self.workshop.train_document(self.ingested, self.spec),
            "ranks": {"hosts": list(HOSTS)},
            "checkpoint": CHECKPOINT,
        }
        return cast("TrainInput", self.workshop.load(asked))


def ranks(pods: MakePod, code: str, **asked: Any) -> list[Rank]:
    first = pods(estimator=script(parallelism=2, **asked))
    found = []
    for number in range(2):
        folder = first.folder.parent / f"rank-{number}"
        one = Rank(first.workshop, first.ingested, first.spec, folder, rank=number)
        one.mount(code)
        one.provide()
        found.append(one)
    return found


def environ(number: int, port: int = 1) -> Mapping[str, str]:
    told = {"RANK": number, "WORLD_SIZE": 2, "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port}
    return {name: str(value) for name, value in told.items()}


def wait_for(there: Callable[[], bool]) -> None:
    end = time.monotonic() + 240
    while not there():
        assert time.monotonic() < end
        time.sleep(0.05)


def test_the_sample_trains_in_two_and_the_model_is_that_of_the_first(pods: MakePod) -> None:
    """Of the rows each has its share, so that coefficients differ until they are put together."""
    code, run = yaml.safe_load_all((SAMPLES / "ranks.yaml").read_text())
    params = run["spec"]["estimator"]["script"]["params"]
    both, port = ranks(pods, code["data"]["train.py"], params=params), free_port()
    with ThreadPoolExecutor() as pool:
        ended = list(pool.map(lambda n: both[n].run(environ(n, port)), range(2)))
    assert [one.code for one in ended] == [0, 0], ended
    left = [[path.name for path in one.rooms.output.glob("model*")] for one in both]
    assert left == [["model.skops"], []]
    assert "epoch 20" in (both[0].rooms.output / "progress").read_text()


def test_one_that_is_killed_has_the_other_begin_again(pods: MakePod) -> None:
    """The first is told by the connection that breaks, and says that it was not its own fault."""
    code, run = yaml.safe_load_all((SAMPLES / "ranks.yaml").read_text())
    params = {**run["spec"]["estimator"]["script"]["params"], "epochs": 10**9}
    both, port = ranks(pods, code["data"]["train.py"], params=params), free_port()
    with ThreadPoolExecutor() as pool:
        ended = pool.submit(both[0].run, environ(0, port))
        second = subprocess.Popen(
            [sys.executable, "-u", str(both[1].rooms.input / SHIM)],
            env={**os.environ, **both[1].rooms.environment(), **environ(1, port)},
        )
        told = both[0].rooms.output / "progress"
        wait_for(told.exists)
        second.terminate()
        assert second.wait(240) == 143
    assert ended.result().code == 143
    assert "rank 0 lost another: train.py" in ended.result().words


def test_hosts_are_told_as_launchers_read_them(pods: MakePod) -> None:
    first = pods(estimator=container(parallelism=2))
    pod = Rank(first.workshop, first.ingested, first.spec, first.folder.parent / "rank")
    pod.provide()
    read = {name: (pod.rooms.input / name).read_text() for name in ("hosts", "hosts.hydra")}
    assert read == {
        "hosts": "job-0.crew slots=1\njob-1.crew slots=1\n",
        "hosts.hydra": "job-0.crew:1\njob-1.crew:1\n",
    }
    assert pod.document.training.code
    told = pod.document.training.code.lineage(None)["container"]
    assert told["parallelism"] == 2


def test_a_script_is_told_the_names_of_all(pods: MakePod) -> None:
    one = ranks(pods, FAILS.format("KeyError(context.addresses, context.rank)"))[1]
    assert f"KeyError: ({list(HOSTS)}, 1)" in one.run(environ(1)).words


def test_one_alone_has_no_hosts_and_meets_itself(pods: MakePod) -> None:
    pod = pods()
    pod.mount("def train(data, params, context):\n    raise KeyError(context.addresses)\n")
    pod.provide()
    assert not list(pod.rooms.input.glob("hosts*"))
    assert "KeyError: ['localhost']" in pod.run().words
    assert pod.document.training.code
    assert "parallelism" not in str(pod.document.training.code.lineage(None))


@pytest.mark.parametrize(
    ("raised", "code"),
    [
        ("ConnectionResetError('gone')", 143),
        ("EOFError()", 143),
        ("TimeoutError('nobody')", 143),
        ("socket.gaierror('no such name')", 143),
        ("type('DistBackendError', (RuntimeError,), {})('gloo: closed')", 143),
        ("type('DistStoreError', (RuntimeError,), {})('wait timeout after 300000ms')", 143),
        (f"RuntimeError('{PAIR}:534] Connection closed by peer [127.0.0.1]:10895')", 143),
        (f"RuntimeError('{PAIR}:589] Read error [10.0.0.2]:252: Connection reset by peer')", 143),
        (f"RuntimeError('{BUFFER}:81] Timed out waiting 1800000ms for recv operation')", 143),
        ("RuntimeError('Socket Timeout')", 143),
        ("RuntimeError('mat1 and mat2 shapes cannot be multiplied')", 1),
        ("KeyError('Connection closed by peer')", 1),
        ("KeyError('price')", 1),
        ("FileNotFoundError('x')", 1),
    ],
)
def test_who_lost_another_is_tried_again_and_who_fails_is_not(
    pods: MakePod, raised: str, code: int
) -> None:
    one = ranks(pods, FAILS.format(raised))[1]
    ended = one.run(environ(1))
    assert ended.code == code
    assert ("rank 1 lost another: train.py, line 4" in ended.words) is (code == 143)
    assert "train.py, line 4, in train: " in ended.words


def test_one_alone_that_loses_a_connection_fails(pods: MakePod) -> None:
    pod = pods()
    pod.mount(FAILS.format("ConnectionResetError('gone')"))
    pod.provide()
    assert pod.run().code == 1


class Marks:
    """What rank 0 says, look after look; it ends the waiting as SIGTERM does."""

    def __init__(self, *looks: Mark | None) -> None:
        self.looks = list(looks)

    def look(self) -> Mark | None:
        if not self.looks:
            raise SystemExit(143)
        return self.looks.pop(0)


FIRST, NEXT = Mark("t1", "sha256:a"), Mark("t2", "sha256:a")
OTHER, JUDGED = Mark("t1", "sha256:b"), Mark("t1", "sha256:a", judging=True)
STAYS: dict[str, tuple[Mark | None, ...]] = {
    "the first is there": (FIRST, FIRST),
    "it comes to be judged": (FIRST, JUDGED),
    "nothing is read for a while": (None, FIRST, None, FIRST),
}


@pytest.mark.parametrize("name", STAYS)
def test_a_rank_that_has_ended_stays_until_the_job_ends_it(name: str) -> None:
    with pytest.raises(SystemExit):
        Vigil(Marks(*STAYS[name]).look, lambda _: None).keep()


def test_it_begins_again_where_another_has_taken_the_firsts_place() -> None:
    with pytest.raises(Failure) as failed:
        Vigil(Marks(JUDGED, None, NEXT).look, lambda _: None).keep()
    assert failed.value.reason == "WorkersLost"
    assert failed.value.exit_code == 30  # ours, and passing: the Job makes another pod


# What rank 0 says, and what a rank does that is about to run its code.
BEGINS: dict[str, tuple[tuple[Mark | None, ...], type[BaseException] | None]] = {
    "before rank 0": ((None,), None),
    "beside it": ((FIRST,), None),
    "while it is judged": ((JUDGED, JUDGED, JUDGED), SystemExit),
    "when it was lost while judged": ((JUDGED, JUDGED, NEXT), None),
    "with another script": ((OTHER,) * 61, Failure),
    "with that of its successor": ((OTHER, OTHER, NEXT), None),
}


@pytest.mark.parametrize("name", BEGINS)
def test_a_rank_begins_with_the_first_and_never_alone(name: str) -> None:
    said, raises = BEGINS[name]
    vigil = Vigil(Marks(*said).look, lambda _: None)
    if raises is None:
        vigil.before("sha256:a", "spec.estimator.script")
        return
    with pytest.raises(raises) as caught:
        vigil.before("sha256:a", "spec.estimator.script")
    if isinstance(caught.value, Failure):
        assert caught.value.exit_code in (10, 20)
        assert "configMap.digest" in caught.value.message


def test_what_the_first_says_is_read_by_the_others(pods: MakePod) -> None:
    code = "from sklearn.dummy import DummyClassifier\n"
    code += "def train(data, params, context):\n"
    code += "    return DummyClassifier().fit(data.features, data.target)\n"
    first, other = ranks(pods, code)
    store, checkpoint = cast("Any", first.workshop.store), first.document.checkpoint
    board = Board(store, checkpoint, other.rooms.state)
    begun = board.look()
    assert begun
    assert not begun.judging
    assert first.run(environ(0)).code == 0
    first.judge()
    assert board.look() == Mark(begun.token, begun.script, judging=True)
    successor = Rank(first.workshop, first.ingested, first.spec, first.folder.parent / "successor")
    successor.mount(code)
    successor.provide()
    again = board.look()
    assert again
    assert again.token != begun.token
    assert not again.judging


@pytest.mark.parametrize(
    ("verb", "worker", "name"),
    [
        ("provide", 0, "collect-log.gz"),
        ("provide", 2, "collect-log-2.gz"),
        ("follow", 2, "follow-log-2.gz"),
        ("judge", 2, "log-2.gz"),
        ("ingest", 2, "log-2.gz"),
    ],
)
def test_each_keeps_a_log_of_its_own(verb: str, worker: int, name: str) -> None:
    run: Any = Run(verb, cast("Any", None), cast("Any", None), worker)
    assert run._log == name
