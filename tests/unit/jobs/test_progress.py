"""Progress over HTTP: who may say what about which run, and what is made of it."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from tidemill.engine.key import Key
from tidemill.jobs.progress import MIN_WRITE_INTERVAL, ProgressBoard, Report, Tokens, format_eta

KEY = Key("TrainingRun", "ns", "r")
TOKENS = Tokens("secret")
BODY = {"kind": "TrainingRun", "namespace": "ns", "name": "r", "uid": "u", "percent": 5}


class Place:
    """A board behind a server, and a client that posts to it."""

    def __init__(self) -> None:
        self.woken: list[tuple[Key, float]] = []
        self.board = ProgressBoard(TOKENS, lambda key, delay: self.woken.append((key, delay)))
        self.port = 0
        self.session = aiohttp.ClientSession()

    async def post(self, body: Any, token: str | None = None) -> int:
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        bearer = TOKENS.issue(KEY, "u") if token is None else token
        headers = {"Authorization": f"Bearer {bearer}"}
        url = f"http://127.0.0.1:{self.port}/v1/progress"
        async with self.session.post(url, data=data, headers=headers) as answer:
            assert "secret" not in await answer.text()
            return answer.status


@pytest.fixture
async def place() -> AsyncIterator[Place]:
    """Give a board that is served."""
    made = Place()
    app = web.Application()
    app.add_routes(made.board.routes())
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    made.port = runner.addresses[0][1]
    yield made
    await made.session.close()
    await runner.cleanup()


async def test_a_report_is_kept_and_wakes_its_run(place: Place) -> None:
    sent = {**BODY, "message": "fits", "etaSeconds": 90}
    assert await place.post(sent) == 200
    assert place.board.latest(KEY, "u") == Report(5, "fits", 90)
    assert place.woken == [(KEY, 0.0)]


async def test_reports_after_the_first_wake_seldom(place: Place) -> None:
    for percent in (1, 2, 2, 3):
        await place.post({**BODY, "percent": percent})
    assert place.woken == [(KEY, 0.0), (KEY, MIN_WRITE_INTERVAL), (KEY, MIN_WRITE_INTERVAL)]


async def test_step_and_metric_are_short_texts(place: Place) -> None:
    await place.post({**BODY, "step": "fit", "metric": "log_loss=0.31"})
    assert place.board.latest(KEY, "u") == Report(5, "", None, "fit", "log_loss=0.31")
    place.board.forget(KEY)
    await place.post({**BODY, "step": "s" * 99, "metric": {"a": "\ud800"}})
    report = place.board.latest(KEY, "u")
    assert report is not None
    assert report.step == "s" * 64
    assert report.metric == "{'a': '\\ud800'}"


async def test_what_is_shown_changes_at_most_every_five_seconds(place: Place) -> None:
    now = 100.0
    place.board._clock = lambda: now
    shown: list[int] = []

    async def say(percent: int) -> None:
        await place.post({**BODY, "percent": percent})
        report = place.board.latest(KEY, "u")
        assert report is not None
        shown.append(report.percent)

    await say(1)
    now += 1
    await say(2)
    now += 3.5
    await say(3)
    assert place.woken[-1] == (KEY, 0.5)  # when what was held back may be shown
    now += 0.5
    await say(4)
    now += 1
    place.board.forget(KEY)
    await say(5)
    assert shown == [1, 1, 1, 4, 5]


async def test_a_namesake_is_not_shown_what_another_said(place: Place) -> None:
    await place.post(BODY)
    assert place.board.latest(KEY, "u") is not None
    assert place.board.latest(KEY, "v") is None
    await place.post({**BODY, "uid": "v", "percent": 9}, TOKENS.issue(KEY, "v"))
    assert place.board.latest(KEY, "v") == Report(9, "", None)


@pytest.mark.parametrize(
    "token",
    [
        "",
        "x",
        "\u00e9",
        TOKENS.issue(KEY, "another uid"),
        TOKENS.issue(Key("TrainingRun", "ns", "other"), "u"),
        TOKENS.issue(Key("TrainingRun", "other", "r"), "u"),
        TOKENS.issue(Key("Dataset", "ns", "r"), "u"),
        Tokens("another secret").issue(KEY, "u"),
    ],
    ids=[
        "none",
        "nonsense",
        "not ASCII",
        "of a namesake",
        "of another run",
        "of another namespace",
        "of another kind",
        "of another operator",
    ],
)
async def test_a_token_is_good_for_its_own_run_alone(place: Place, token: str) -> None:
    assert await place.post(BODY, token) == 403
    assert place.board.latest(KEY, "u") is None
    assert place.woken == []


def test_a_token_survives_a_restart_and_does_not_show_its_secret() -> None:
    token = Tokens("secret").issue(KEY, "u")
    assert token == TOKENS.issue(KEY, "u")
    assert TOKENS.valid(token, KEY, "u")
    assert "secret" not in token


MALFORMED: dict[str, bytes] = {
    "empty": b"",
    "no JSON": b"percent=5",
    "no UTF-8": b"\xff\xfe\x00",
    "a list": b"[]",
    "a number": b"5",
    "null": b"null",
    "no uid": json.dumps({k: v for k, v in BODY.items() if k != "uid"}).encode(),
    "no percent": json.dumps({k: v for k, v in BODY.items() if k != "percent"}).encode(),
    "percent is a word": json.dumps({**BODY, "percent": "many"}).encode(),
    "percent is null": json.dumps({**BODY, "percent": None}).encode(),
    "percent is infinite": json.dumps({**BODY, "percent": float("inf")}).encode(),
    "percent is not a number": json.dumps({**BODY, "percent": float("nan")}).encode(),
    "eta is a list": json.dumps({**BODY, "etaSeconds": []}).encode(),
    "eta is infinite": json.dumps({**BODY, "etaSeconds": float("inf")}).encode(),
    "deep": b"[" * 4000,
}


@pytest.mark.parametrize("case", MALFORMED)
async def test_what_is_no_report_is_refused(place: Place, case: str) -> None:
    assert await place.post(MALFORMED[case]) == 400
    assert place.woken == []


@pytest.mark.parametrize("size", [4097, 2_000_000], ids=["a little", "much"])
async def test_a_body_too_large_is_refused(place: Place, size: int) -> None:
    with contextlib.suppress(aiohttp.ClientConnectionError):  # it need not read to the end
        assert await place.post(b"x" * size) == 413
    assert place.woken == []


async def test_a_body_may_come_in_pieces(place: Place) -> None:
    data = json.dumps({**BODY, "message": "in pieces"}).encode()
    head = (
        "POST /v1/progress HTTP/1.1\r\nHost: x\r\n"
        f"Authorization: Bearer {TOKENS.issue(KEY, 'u')}\r\nContent-Length: {len(data)}\r\n\r\n"
    )
    reader, writer = await asyncio.open_connection("127.0.0.1", place.port)
    writer.write(head.encode() + data[:10])
    await writer.drain()
    answer = asyncio.create_task(reader.readline())
    assert await place.post({**BODY, "percent": 1}) == 200  # the first piece has been read by now
    writer.write(data[10:])
    assert b"200" in await answer
    writer.close()
    assert place.board.latest(KEY, "u") == Report(5, "in pieces", None)


@pytest.mark.parametrize(
    ("sent", "kept"),
    [
        ({"percent": 250}, Report(100, "", None)),
        ({"percent": -3}, Report(0, "", None)),
        ({"percent": 12.9}, Report(12, "", None)),
        ({"message": "x" * 500}, Report(5, "x" * 256, None)),
        ({"message": "a\ud800b"}, Report(5, "a?b", None)),
        ({"etaSeconds": -5}, Report(5, "", 0)),
        ({"etaSeconds": 10**300}, Report(5, "", 10 * 365 * 86400)),
        ({"etaSeconds": None}, Report(5, "", None)),
    ],
    ids=[
        "over 100",
        "below 0",
        "fraction",
        "long message",
        "half a character",
        "negative time",
        "endless time",
        "no time",
    ],
)
async def test_what_is_said_is_bounded(place: Place, sent: dict[str, Any], kept: Report) -> None:
    assert await place.post({**BODY, **sent}) == 200
    assert place.board.latest(KEY, "u") == kept
    assert len(format_eta(kept.eta_seconds) or "") <= 32


async def test_a_board_forgets_and_a_namesake_inherits_nothing(place: Place) -> None:
    await place.post(BODY)
    assert place.board.latest(KEY, "newer") is None
    place.board.forget(KEY)
    place.board.forget(KEY)
    assert place.board.latest(KEY, "u") is None
    await place.post(BODY)
    assert place.woken[-1] == (KEY, 0.0)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (None, None),
        (0, "0s"),
        (59, "59s"),
        (60, "1m0s"),
        (200, "3m20s"),
        (3599, "59m59s"),
        (3600, "1h0m"),
        (7530, "2h5m"),
    ],
)
def test_time_is_written_as_people_read_it(seconds: int | None, text: str | None) -> None:
    assert format_eta(seconds) == text
