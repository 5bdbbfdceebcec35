"""Conditions: the summary first, Reconciling and Stalled while true, times that move on a flip."""

from datetime import UTC, datetime, timedelta

import pytest

from tidemill.api.v1alpha1.conditions import (
    MESSAGE_LIMIT,
    Condition,
    ConditionType,
    Verdict,
    conditions_of,
    progressing,
    ready,
    stalled,
)
from tidemill.api.v1alpha1.reasons import Reason

NOW = datetime(2026, 1, 2, 3, 4, 5, 678, tzinfo=UTC)
LATER = NOW + timedelta(minutes=1)


def conditions(
    verdict: Verdict, previous: list[Condition] | None = None, now: datetime = NOW
) -> list[Condition]:
    return conditions_of(verdict, ConditionType.READY, previous or [], generation=3, now=now)


def shape(found: list[Condition]) -> list[tuple[str, str]]:
    return [(c.type, c.status) for c in found]


@pytest.mark.parametrize(
    ("verdict", "expected"),
    [
        pytest.param(ready("fine"), [("Ready", "True")], id="ready"),
        pytest.param(
            progressing(Reason.INGESTING, "reads"),
            [("Ready", "Unknown"), ("Reconciling", "True")],
            id="on the way for the first time",
        ),
        pytest.param(
            progressing(Reason.ROLLING_OUT, "starts", summary="True"),
            [("Ready", "True"), ("Reconciling", "True")],
            id="on the way while it works",
        ),
        pytest.param(
            stalled(Reason.BUCKET_MISSING, "create it"),
            [("Ready", "False"), ("Stalled", "True")],
            id="stalled",
        ),
    ],
)
def test_only_what_is_true_stands_behind_the_summary(
    verdict: Verdict, expected: list[tuple[str, str]]
) -> None:
    assert shape(conditions(verdict)) == expected


def test_all_carry_reason_message_and_generation() -> None:
    for condition in conditions(stalled(Reason.NO_ROWS, "deliver rows")):
        assert condition.reason == "NoRows"
        assert condition.message == "deliver rows"
        assert condition.observed_generation == 3


def test_time_has_whole_seconds() -> None:
    (found,) = conditions(ready("fine"))
    assert found.last_transition_time == NOW.replace(microsecond=0)


def test_time_stays_while_the_status_stays() -> None:
    before = conditions(ready("fine"))
    (after,) = conditions(ready("finer"), before, LATER)
    assert after.last_transition_time == before[0].last_transition_time
    assert after.message == "finer"


def test_time_moves_when_the_status_flips() -> None:
    before = conditions(ready("fine"))
    after = conditions(stalled(Reason.NO_ROWS, "deliver rows"), before, LATER)
    assert [c.last_transition_time for c in after] == [LATER.replace(microsecond=0)] * 2


def test_long_message_is_cut() -> None:
    (found,) = conditions(ready("x" * (MESSAGE_LIMIT + 1)))
    assert len(found.message) == MESSAGE_LIMIT
