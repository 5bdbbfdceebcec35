"""Whose a token is: a ServiceAccount's, for us, and nobody else's."""

import asyncio
from typing import Any

import pytest
from tests.unit.data_api.bucket import Reviewer, account

from tidemill.data_api import readers
from tidemill.data_api.readers import Readers, reader
from tidemill.data_api.refusal import Refusal
from tidemill.kube.errors import Unavailable


def user(name: str, *groups: str) -> dict[str, Any]:
    return {"username": name, "groups": list(groups)}


@pytest.mark.parametrize(
    ("status", "namespace"),
    [
        pytest.param(account("team"), "team", id="a ServiceAccount"),
        pytest.param(account("team", authenticated=False), None, id="not authenticated"),
        pytest.param(account("team", authenticated="true"), None, id="not quite true"),
        pytest.param(account("team", audiences=["api"]), None, id="for another audience"),
        pytest.param(account("team", audiences=None), None, id="for no audience"),
        pytest.param(account("team", user=user("anna")), None, id="a person"),
        pytest.param(account("team", user=None), None, id="nobody"),
        pytest.param(
            account("team", user=user("system:serviceaccount:other:default")),
            None,
            id="not in its group",
        ),
        pytest.param(
            account("a", user=user("system:serviceaccount:a:b:c", "system:serviceaccounts:a")),
            None,
            id="a name with a colon too many",
        ),
        pytest.param({}, None, id="no status"),
    ],
)
def test_whose_a_review_says_it_is(status: dict[str, Any], namespace: str | None) -> None:
    assert reader(status) == namespace


async def test_an_answer_is_kept_for_a_minute_and_asks_for_our_audience() -> None:
    now = 0.0
    reviewer = Reviewer()
    found = Readers(reviewer, clock=lambda: now)
    assert [await found.namespace("good-team") for _ in range(3)] == ["team"] * 3
    (review,) = reviewer.reviews
    assert review["spec"] == {"token": "good-team", "audiences": ["tidemill.dev"]}
    now = readers.REMEMBERED_SECONDS + 1
    await found.namespace("good-team")
    assert len(reviewer.reviews) == 2


async def test_a_refusal_is_kept_too_and_the_memory_is_bounded(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(readers, "MAX_REMEMBERED", 2)
    reviewer = Reviewer()
    found = Readers(reviewer)
    for token in ("bad", "bad", "worse", "worst", "bad"):
        with pytest.raises(Refusal) as refused:
            await found.namespace(token)
        assert refused.value.status == 401
        assert token not in refused.value.message
    assert [r["spec"]["token"] for r in reviewer.reviews] == ["bad", "worse", "worst", "bad"]


@pytest.mark.parametrize("token", ["", "with space", "ü", "a" * 8001, "line\nbreak"])
async def test_what_is_no_token_is_not_even_asked_about(token: str) -> None:
    reviewer = Reviewer()
    with pytest.raises(Refusal):
        await Readers(reviewer).namespace(token)
    assert reviewer.reviews == []


async def test_an_api_server_that_does_not_answer_is_no_verdict() -> None:
    class Away(Reviewer):
        async def create(self, *_: Any, **__: Any) -> dict[str, Any]:
            raise Unavailable("away")

    found = Readers(Away())
    with pytest.raises(Refusal) as refused:
        await found.namespace("good-team")
    assert (refused.value.status, refused.value.retry_after) == (503, 5)
    found.reviewer = Reviewer()
    assert await found.namespace("good-team") == "team"


async def test_who_asks_too_much_at_once_is_told_to_wait() -> None:
    held, full = asyncio.Event(), asyncio.Event()
    most = now = 0

    class Slow(Reviewer):
        async def create(self, *_: Any, **__: Any) -> dict[str, Any]:
            nonlocal most, now
            now += 1
            most = max(most, now)
            if now == readers.AT_ONCE:
                full.set()
            await held.wait()
            now -= 1
            return {"status": account("team")}

    found = Readers(Slow())
    tasks = [asyncio.create_task(found.namespace(f"good-{n}")) for n in range(readers.MAX_WAITING)]
    await full.wait()
    with pytest.raises(Refusal) as refused:
        await found.namespace("good-more")
    assert refused.value.status == 429
    held.set()
    assert await asyncio.gather(*tasks) == ["team"] * readers.MAX_WAITING
    assert most == readers.AT_ONCE
