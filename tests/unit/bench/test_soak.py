"""What is asked, and what is said of memory."""

from collections import Counter

import pytest
from tests.bench import soak


def test_the_mix_is_always_the_same_and_has_all_kinds() -> None:
    questions = soak.mix()
    assert questions == soak.mix()
    counts = Counter(question.kind for question in questions)
    assert counts.total() == 10_000
    assert counts["wrong"] == 500
    assert counts["/metrics"] == 2
    assert {question.status for question in questions if question.kind == "wrong"} == {400}
    assert len({question.data for question in questions if question.kind == "wrong"}) == 5
    assert {question.kind for question in questions if question.fresh} == {
        "1 row, a new connection"
    }


def sample(when: float, kib: int) -> tuple[float, dict[str, int]]:
    return when, {"Pss": kib, "Pss_Anon": kib // 2}


def test_what_grows_while_it_warms_up_is_no_growth() -> None:
    warming = [sample(when, 1024 * when) for when in range(60)]
    steady = [sample(60 + when, 102_400 + 2 * when) for when in range(120)]
    figures = soak.memory(warming + steady, 60.0)
    assert figures[soak.WARM] == pytest.approx(100.0)
    assert figures[soak.END] == pytest.approx(100.0 + 238 / 1024)
    assert figures[soak.SLOPE] == pytest.approx(120.0)
    assert figures[soak.OWN] == pytest.approx(60.0)
    assert figures["samples"] == 120


def test_a_run_that_was_too_short_says_so() -> None:
    with pytest.raises(SystemExit, match="too short"):
        soak.memory([sample(1.0, 5)], 60.0)
