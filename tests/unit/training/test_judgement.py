"""What a status says of a judgement: bounded, plain, and nothing of what is well."""

from typing import Any

import pytest
from tests.unit.children.world import RUNNER, instant
from tests.unit.training.scene import RESULT, SPEC

from tidemill.api.v1alpha1.judgement import Judgement
from tidemill.api.v1alpha1.run_status import TrainingRunStatus
from tidemill.api.v1alpha1.training_run import TrainingRunSpec
from tidemill.training.decide import decide
from tidemill.training.judgement import summary, words
from tidemill.training.observed import Observed


def against(verdict: str, difference: float = -0.12) -> dict[str, Any]:
    own = {"name": "accuracy", "value": 0.853, "low": 0.85, "high": 0.86, "n": 100}
    ends = {"value": difference, "low": difference - 0.01, "high": difference + 0.01}
    return {
        "metric": "accuracy",
        "baseline": own,
        "difference": {"name": "accuracy", "n": 100, **ends},
        "verdict": verdict,
    }


def fair(verdict: str, value: float | None = 0.31) -> dict[str, Any]:
    ends = {"value": value, "low": value, "high": value}
    return {
        "sensitive": "sex",
        "metric": "demographic_parity_difference",
        "max": "0.2",
        "verdict": verdict,
        **ends,
    }


def judged(**found: Any) -> dict[str, Any]:
    return {"baselines": [], "fairness": [], "warnings": [], **found}


def baseline(name: str, *found: dict[str, Any]) -> dict[str, Any]:
    return {"name": name, "against": list(found), "note": ""}


@pytest.mark.parametrize(
    ("found", "told"),
    [
        (judged(), ""),
        (judged(baselines=[baseline("Majority", against("Better", 0.1))]), ""),
        (judged(baselines=[baseline("Linear")]), ""),
        (
            judged(baselines=[baseline("LastValue", against("Worse"))]),
            "worse than LastValue (accuracy 0.733 against 0.853)",
        ),
        (
            judged(baselines=[baseline("Linear", against("Inconclusive", 0.001))]),
            "not told apart from Linear (accuracy 0.854 against 0.853)",
        ),
        (
            judged(fairness=[fair("Failed")]),
            "demographic_parity_difference of sex is 0.31, more than 0.2",
        ),
        (judged(fairness=[fair("Inconclusive"), fair("Successful"), fair("Error", None)]), ""),
        (judged(warnings=["a"]), "1 warning in status.judgement.warnings"),
        (judged(warnings=["a", "b"]), "2 warnings in status.judgement.warnings"),
    ],
    ids=[
        *("nothing", "better", "not measured", "worse", "not told apart", "unfair"),
        *("not unfair", "a warning", "warnings"),
    ],
)
def test_the_message_says_what_speaks_against_the_model(found: dict[str, Any], told: str) -> None:
    assert words(summary(found)) == told


def test_the_condition_says_that_the_last_value_is_better() -> None:
    found = judged(baselines=[baseline("LastValue", against("Worse"))], warnings=["leaks"])
    result = {**RESULT, "judgement": found}
    observed = Observed(dataset=None, result=result)
    spec = TrainingRunSpec.model_validate(SPEC)
    plan = decide(spec, TrainingRunStatus(), observed, instant(), RUNNER)
    assert plan.verdict.summary == "True"
    assert plan.verdict.message == (
        "model dddddddddddd, accuracy=0.75; worse than LastValue (accuracy 0.733 against 0.853); "
        "1 warning in status.judgement.warnings"
    )
    assert plan.status.judgement is not None
    assert [one.verdict for one in plan.status.judgement.baselines or ()] == ["Worse"]
    assert plan.status.judgement.warnings == ["leaks"]


def test_a_result_without_a_judgement_is_read() -> None:
    assert summary(None) is None
    assert words(None) == ""


def test_a_status_is_bounded() -> None:
    long = fair("Failed") | {"sensitive": "s" * 1024}
    found = judged(
        baselines=[baseline(f"b{n}", against("Worse")) for n in range(9)],
        fairness=[long] * 20,
        warnings=["w" * 5_000] * 20,
    )
    cut = summary(found)
    assert cut is not None
    assert Judgement.model_validate(cut.to_dict()) == cut
    assert len(words(cut)) < 2_000
