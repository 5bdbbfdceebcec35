"""What is sent, what is tried again, what is dropped; and that nobody waits for it."""

import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import pytest

from tidemill_server.metrics.registry import Outcome
from tidemill_server.traces import exporter
from tidemill_server.traces.collector import Verdict
from tidemill_server.traces.exporter import MOST_SENT, MOST_WAITING, Exporter
from tidemill_server.traces.trace import Asked, Trace

TAKEN = Verdict()
BUSY = Verdict("it answers with HTTP 503", again=True)
SOON = Verdict("it answers with HTTP 429", again=True, after=0.0)
BAD = Verdict("it answers with HTTP 400")


class Names:
    """Writes the predictions' names, which are easy to look at."""

    def write(self, traces: Iterable[Trace]) -> bytes:
        return " ".join(trace.asked.prediction for trace in traces).encode()

    def rejected(self, answer: bytes) -> int:
        return int(answer or 0)


@dataclass
class Scripted:
    """Gives these verdicts one after another, then takes all; may be shut for a while."""

    verdicts: list[Verdict] = field(default_factory=list)
    where: str = "http://collector:4318"
    posts: list[str] = field(default_factory=list)
    times: list[float] = field(default_factory=list)
    open: threading.Event = field(default_factory=threading.Event)
    closed: bool = False

    def post(self, message: bytes, seconds: float) -> Verdict:
        assert seconds > 0
        self.open.wait(10)
        self.times.append(time.monotonic())
        self.posts.append(message.decode())
        return self.verdicts.pop(0) if self.verdicts else TAKEN

    def close(self) -> None:
        self.closed = True


@contextmanager
def exporting(*verdicts: Verdict, shut: bool = False) -> Iterator[tuple[Exporter, Scripted]]:
    script = Scripted(list(verdicts))
    if not shut:
        script.open.set()
    found = Exporter(Names(), script)
    try:
        yield found, script
    finally:
        script.open.set()
        found.stop(10)


def trace(name: str) -> Trace:
    found = Trace(Asked(b"1" * 16, b"", "", "/", name, rpc=False), lambda _: None)
    found.end(200, Outcome.OK)
    return found


def until(condition: Callable[[], object]) -> None:
    end = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < end
        threading.Event().wait(0.002)


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exporter, "PAUSE_SECONDS", 0.01)
    monkeypatch.setattr(exporter, "FIRST_PAUSE", 0.01)


def test_what_is_there_goes_in_one_message(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exporter, "PAUSE_SECONDS", 0.2)
    with exporting() as (found, script):
        for name in ("a", "b", "c"):
            found.add(trace(name))
        until(lambda: found.sent == 3)
    assert (script.posts, found.dropped) == (["a b c"], 0)
    assert script.closed


def test_a_full_message_goes_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exporter, "PAUSE_SECONDS", 600)
    with exporting() as (found, script):
        for number in range(MOST_SENT):
            found.add(trace(str(number)))
        until(lambda: found.sent == MOST_SENT)
    assert len(script.posts) == 1


@pytest.mark.parametrize("verdict", [BUSY, SOON])
def test_what_is_not_taken_is_sent_again(verdict: Verdict) -> None:
    with exporting(verdict, verdict) as (found, script):
        found.add(trace("a"))
        until(lambda: found.sent == 1)
    assert (script.posts, found.dropped) == (["a"] * 3, 0)


def test_what_is_never_taken_is_dropped_at_once() -> None:
    with exporting(BAD) as (found, script):
        found.add(trace("a"))
        until(lambda: found.dropped == 1)
        found.add(trace("b"))
        until(lambda: found.sent == 1)
    assert script.posts == ["a", "b"]


def test_what_is_not_taken_in_time_is_dropped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exporter, "KEPT_SECONDS", 0.05)
    with exporting(*[BUSY] * 100) as (found, script):
        found.add(trace("a"))
        until(lambda: found.dropped == 1)
    assert 1 < len(script.posts) < 20


def test_the_collector_says_how_long_to_wait() -> None:
    with exporting(Verdict("it is busy", again=True, after=0.2)) as (found, script):
        found.add(trace("a"))
        until(lambda: found.sent == 1)
    assert script.times[1] - script.times[0] >= 0.2


def test_a_wait_longer_than_a_message_is_kept_is_not_begun() -> None:
    with exporting(Verdict("it is busy", again=True, after=1e6)) as (found, script):
        found.add(trace("a"))
        until(lambda: found.dropped == 1)
    assert script.posts == ["a"]


def test_pauses_grow(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exporter, "FIRST_PAUSE", 0.04)
    with exporting(BUSY, BUSY, BUSY) as (found, script):
        found.add(trace("a"))
        until(lambda: found.sent == 1)
    first, _, third = (b - a for a, b in zip(script.times, script.times[1:], strict=False))
    assert third > 2 * first


def test_more_than_may_wait_is_dropped_and_nobody_waits() -> None:
    with exporting(shut=True) as (found, script):
        found.add(trace("first"))
        until(lambda: not found._waiting)  # it is on its way, and the way is shut
        for number in range(MOST_WAITING + 7):
            found.add(trace(str(number)))
        assert (found.dropped, found.sent) == (7, 0)
        script.open.set()
        until(lambda: found.sent == MOST_WAITING + 1)
    assert found.dropped == 7


def test_spans_that_are_refused_of_a_message_count() -> None:
    with exporting(Verdict(answer=b"2"), Verdict(answer=b"99")) as (found, _):
        found.add(trace("a"))
        until(lambda: found.dropped + found.sent == 1)
        found.add(trace("b"))
        until(lambda: found.dropped + found.sent == 2)
    assert (found.dropped, found.sent) == (2, 0)


def test_at_the_end_what_is_there_is_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exporter, "PAUSE_SECONDS", 600)
    with exporting() as (found, script):
        found.add(trace("a"))
        found.stop(10)
    assert (script.posts, found.sent, script.closed) == (["a"], 1, True)


def test_at_the_end_a_pause_is_cut_short(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exporter, "FIRST_PAUSE", 60)
    with exporting(BUSY) as (found, script):
        found.add(trace("a"))
        until(lambda: script.posts)
        found.stop(10)
    assert (script.posts, found.sent) == (["a", "a"], 1)


def test_the_end_waits_for_no_collector() -> None:
    with exporting(shut=True) as (found, _):
        found.add(trace("a"))
        until(lambda: not found._waiting)
        began = time.monotonic()
        found.stop(0.1)
        assert time.monotonic() - began < 5


def test_a_collector_that_is_away_is_tried_at_the_end_no_longer_than_it_may_take() -> None:
    with exporting(*[BUSY] * 1000) as (found, script):
        found.add(trace("a"))
        until(lambda: script.posts)
        began = time.monotonic()
        found.stop(0.3)
        assert time.monotonic() - began < 5
        assert (found.sent, found.dropped) == (0, 1)


def test_a_fault_is_not_the_end_of_all_traces() -> None:
    class Broken(Names):
        def write(self, traces: Iterable[Trace]) -> bytes:
            if next(iter(traces)).asked.prediction == "bad":
                raise ValueError
            return super().write(traces)

    script = Scripted()
    script.open.set()
    found = Exporter(Broken(), script)
    found.add(trace("bad"))
    until(lambda: found.dropped == 1)
    found.add(trace("good"))
    until(lambda: found.sent == 1)
    found.stop(10)


def test_that_it_is_away_and_that_it_answers_again_is_told_once(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level("INFO")
    with exporting(BUSY, BUSY, BUSY) as (found, _):
        found.add(trace("a"))
        until(lambda: found.sent == 1)
    said = [record.getMessage() for record in caplog.records]
    assert said == [
        "the collector of traces http://collector:4318 takes none: it answers with HTTP 503",
        "the collector of traces answers again",
    ]
