"""Progress never stands in the way: newest only, at most once a second, failures ignored."""

import json
import threading
from collections.abc import Mapping
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest

from tidemill_runner import progress
from tidemill_runner.progress import Progress, Subject, sender

SUBJECT = Subject("TrainingRun", "ns", "run", "uid-1")


class Collector:
    """Takes reports and lets a test wait for them."""

    def __init__(self) -> None:
        self.bodies: list[Mapping[str, Any]] = []
        self.arrived = threading.Event()

    def __call__(self, body: Mapping[str, Any]) -> None:
        self.bodies.append(body)
        self.arrived.set()


def test_a_report_says_whose_it_is() -> None:
    collector = Collector()
    with Progress(SUBJECT, collector) as reports:
        reports.report(41.7, "fitting", 12.4)
        assert collector.arrived.wait(5)
    assert collector.bodies[0] == {
        "kind": "TrainingRun",
        "namespace": "ns",
        "name": "run",
        "uid": "uid-1",
        "percent": 41,
        "message": "fitting",
        "etaSeconds": 12,
    }


def test_step_and_metric_go_with_the_reports_that_follow(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(progress, "INTERVAL", 0.0)
    collector = Collector()
    with Progress(SUBJECT, collector) as reports:
        reports.step("fit")
        reports.report(20, "fitting")
        assert collector.arrived.wait(5)
        collector.arrived.clear()
        reports.step("evaluate")
        reports.measured("accuracy", 0.912345)
        reports.report(75, "measuring")
        assert collector.arrived.wait(5)
    told = [(body.get("step"), body.get("metric")) for body in collector.bodies]
    assert told == [("fit", None), ("evaluate", "accuracy=0.9123")]


def test_only_the_newest_report_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(progress, "INTERVAL", 60.0)
    collector = Collector()
    with Progress(SUBJECT, collector) as reports:
        reports.report(1, "first")
        assert collector.arrived.wait(5)
        for percent in range(2, 50):
            reports.report(percent, "later")
    assert [body["percent"] for body in collector.bodies] == [1, 49]


def test_a_failure_to_deliver_is_ignored() -> None:
    asked = threading.Event()

    def fail(_: Mapping[str, Any]) -> None:
        asked.set()
        raise OSError("the operator is away")

    with Progress(SUBJECT, fail) as reports:
        reports.report(1, "x")
        assert asked.wait(5)
        reports.report(2, "y")


@pytest.mark.parametrize(
    ("done", "expected"),
    [(0, (10, None)), (50, (50, 10)), (100, (90, 0))],
    ids=["nothing", "half", "all"],
)
def test_a_share_of_the_work_is_a_share_of_the_span(
    done: int, expected: tuple[int, int | None]
) -> None:
    times = iter([100.0, 110.0])
    reports = Progress(SUBJECT, None, clock=lambda: next(times))
    seen: list[tuple[int, int | None]] = []
    reports.report = lambda percent, _, eta=None: seen.append(  # type: ignore[method-assign]
        (int(percent), None if eta is None else round(eta))
    )
    reports.share((10, 90), "reading", 100)(done)
    assert seen == [expected]


@pytest.mark.parametrize("url", [None, "", "file:///etc/passwd"])
def test_there_may_be_nobody_to_tell(url: str | None, tmp_path: Path) -> None:
    assert sender(url, tmp_path / "token") is None


def test_a_report_is_posted_with_the_token(tmp_path: Path) -> None:
    requests: list[tuple[str, str, Any]] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            requests.append((self.path, self.headers["Authorization"], body))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    (tmp_path / "token").write_text("secret\n")
    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.handle_request)
        thread.start()
        send = sender(f"http://127.0.0.1:{server.server_port}/", tmp_path / "token")
        assert send is not None
        send({"percent": 3})
        thread.join(5)
    assert requests == [("/v1/progress", "Bearer secret", {"percent": 3})]
