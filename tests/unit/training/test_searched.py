"""What a status says of a search: bounded, and nothing where there was none."""

from typing import Any

import pytest
from tests.unit.children.world import RUNNER, instant
from tests.unit.training.scene import RESULT, SPEC

from tidemill.api.v1alpha1.run_status import TrainingRunStatus
from tidemill.api.v1alpha1.training_run import TrainingRunSpec
from tidemill.training.decide import decide
from tidemill.training.observed import Observed
from tidemill.training.pins import spec_hash
from tidemill.training.searched import summary

FOUND: dict[str, Any] = {
    "method": "Grid",
    "metric": "roc_auc",
    "failed": 1,
    "best": {"number": 2, "value": 0.91234567, "params": {"m__depth": None, "m__rate": 0.1}},
    "trials": [{}, {}, {}],
}


def test_the_summary() -> None:
    told = summary(FOUND)
    assert told
    assert told.to_dict() == {
        "trials": 3,
        "failed": 1,
        "best": {
            "number": 2,
            "metric": "roc_auc",
            "value": "0.912346",
            "params": {"m__depth": "null", "m__rate": "0.1"},
        },
    }


def test_it_is_bounded() -> None:
    params = {f"m__{n}": "x" * 1000 for n in range(50)}
    told = summary({**FOUND, "best": {**FOUND["best"], "params": params}})
    assert told
    assert len(told.best.params) == 20
    assert {len(value) for value in told.best.params.values()} == {64}


@pytest.mark.parametrize("found", [None, {}])
def test_of_no_search_nothing_is_said(found: dict[str, Any] | None) -> None:
    assert summary(found) is None


def test_the_status_has_it() -> None:
    observed = Observed(dataset=None, result={**RESULT, "search": FOUND})
    spec = TrainingRunSpec.model_validate(SPEC)
    plan = decide(spec, TrainingRunStatus(), observed, instant(0), RUNNER)
    assert plan.status.search == summary(FOUND)


def searching(**parameter: Any) -> dict[str, Any]:
    return {"method": "Random", "trials": 2, "space": {"m__a": parameter}}


def test_another_search_is_another_run() -> None:
    hashes = {
        spec_hash(TrainingRunSpec.model_validate({**SPEC, **change}))
        for change in (
            {},
            {"search": searching(values=[1])},
            {"search": searching(values=[2])},
            {"search": searching(low="1", high="2", type="Int")},
        )
    }
    assert len(hashes) == 4


@pytest.mark.parametrize(
    "parameter",
    [{}, {"values": [1], "low": "1", "high": "2", "type": "Int"}],
    ids=["neither", "both"],
)
def test_values_or_a_range(parameter: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="exactly one of values and a range"):
        TrainingRunSpec.model_validate({**SPEC, "search": searching(**parameter)})
