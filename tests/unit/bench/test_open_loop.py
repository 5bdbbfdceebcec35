"""The client against a server of a few lines, which may be slow, wrong or gone."""

import socket
import socketserver
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

import pytest
from tests.bench import open_loop
from tests.bench.open_loop import Line, Load, offer
from tests.bench.timetable import Due, Question

STALL, STALLED = 0.25, 20  # seconds, and before which answer


class _Server(socketserver.ThreadingTCPServer):
    daemon_threads = allow_reuse_address = True
    asked = connections = 0


class _Handler(socketserver.StreamRequestHandler):
    """A request is one line, which says how it is to be answered."""

    server: _Server

    def handle(self) -> None:
        self.server.connections += 1
        for line in self.rfile:
            self.server.asked += 1
            word = line.strip().decode()
            if word == "close":
                return
            if word == "silence":
                continue
            if word == "stall" and self.server.asked == STALLED:
                threading.Event().wait(STALL)
            status = int(word) if word.isdecimal() else 200
            answer = b"HTTP/1.1 %d X\r\ncontent-length: 5\r\nx: y\r\n\r\nwords" % status
            self.wfile.write(answer)


@contextmanager
def running() -> Iterator[_Server]:
    with _Server(("127.0.0.1", 0), _Handler) as server:
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        yield server
        server.shutdown()


def load(server: _Server, *words: str, **terms: float) -> Load:
    questions = [Question(word, word.encode() + b"\n", fresh=word == "201") for word in words]
    port = server.server_address[1]
    return Load(port, questions, terms.get("rate"), terms.get("seconds", 0.2), 2)


def test_all_are_asked_and_what_was_not_expected_is_told() -> None:
    with running() as server:
        tally, took = offer(load(server, "200", "400", rate=200.0))
    assert {kind: len(times) for kind, times in tally.took.items()} == {"200": 20, "400": 20}
    assert tally.errors == {"400: 400 instead of 200": 20}
    assert 0.19 < took < 5


def test_an_answer_is_one_when_all_of_it_is_there() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        line = Line(listener.getsockname()[1])
        other, _ = listener.accept()
        line.ask(Due(Question("one", b"?"), 0.0))
        for piece in (b"HTTP/1.1 4", b"04 X\r\ncontent-length: 3\r\n", b"\r\nab"):
            other.sendall(piece)
            assert line.status() is None
        other.sendall(b"c")
        assert line.status() == 404
        other.close()
        line.close()


def test_who_is_due_while_the_server_stalls_has_waited() -> None:
    with running() as server:
        stalling = load(server, "stall", rate=200.0, seconds=0.5)
        tally, _ = offer(replace(stalling, connections=1))
    waited = [ms for ms in tally.took["stall"] if ms > 1000 * STALL / 2]
    assert tally.answers == 100
    # It was the answer to one; 25 others were due in the first half of the stall.
    assert len(waited) >= 20
    assert max(tally.took["stall"]) >= 900 * STALL


def test_what_is_never_answered_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(open_loop, "PATIENCE", 0.1)
    with running() as server:
        tally, _ = offer(load(server, "silence", rate=50.0, seconds=0.1))
    assert tally.answers == 0
    assert tally.errors == {
        "silence: no answer within 0 s of the end": 2,
        "silence: not asked within 0 s of the end: it lags behind": 3,
    }


def test_a_connection_that_was_closed_is_replaced() -> None:
    with running() as server:
        tally, _ = offer(load(server, "close", "200", rate=100.0))
    assert tally.errors == {"close: the connection was closed": 10}
    assert len(tally.took["200"]) == 10


def test_some_have_a_connection_of_their_own() -> None:
    with running() as server:
        tally, _ = offer(load(server, "200", "201", rate=100.0))
        assert server.connections == 2 + 10
    assert tally.errors == {"201: 201 instead of 200": 10}


def test_a_rush_asks_as_soon_as_it_is_answered() -> None:
    with running() as server:
        began = time.perf_counter()
        tally, _ = offer(load(server, "200", seconds=0.2))
        assert time.perf_counter() - began < 5
    assert tally.answers == server.asked > 50
    assert not tally.errors
