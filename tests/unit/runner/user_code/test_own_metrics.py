"""Numbers that a container has measured itself: told beside ours, or refused by name."""

import json
from pathlib import Path

import pytest
from tests.unit.runner.user_code.conftest import MakePod
from tests.unit.runner.user_code.pod import container
from tests.unit.runner.user_code.test_wrong_scripts import dumped, fitted

from tidemill_runner.failures import Failure
from tidemill_runner.user_code.code import read
from tidemill_runner.user_code.taken import Taken


def test_what_a_container_has_measured_is_told_beside(pods: MakePod) -> None:
    pod = pods(estimator=container())
    pod.provide()
    dumped(fitted())(pod.rooms.output)
    (pod.rooms.output / "metrics.json").write_text('{"train_loss": 0.25, "epochs": 40}')
    told = pod.judge()
    assert told["code"]["logged"] == {"train_loss": [0.25], "epochs": [40.0]}
    assert {one["name"] for one in told["metrics"]}.isdisjoint(told["code"]["logged"])


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("[1]", "metrics.json is no object"),
        (json.dumps({str(n): n for n in range(65)}), "at most 64 numbers"),
        ('{"loss": NaN}', "metrics.json: loss is nan, which is no finite number"),
        ('{"loss": -Infinity}', "loss is -inf"),
        ('{"loss": 1e999}', "loss is inf"),
        ('{"loss": "0.1"}', "loss is 0.1, which is no finite number"),
        ('{"loss": true}', "loss is True"),
        ('{"loss": null}', "loss is None"),
        ('{"": 1}', "1 to 64 characters"),
        ('{"a\\u0007": 1}', "1 to 64 characters"),
        ('{"loss": 1', "metrics.json is no JSON"),
    ],
)
def test_metrics_that_are_none_fail_by_name(tmp_path: Path, text: str, says: str) -> None:
    code = read({"container": {"image": "a@sha256:" + "0" * 64}}, {})
    assert code is not None
    (tmp_path / "metrics.json").write_text(text)
    with pytest.raises(Failure) as caught:
        Taken(tmp_path, code).logged()
    assert caught.value.reason == "FitFailed"
    assert says in caught.value.message
    assert caught.value.message.startswith("spec.estimator.container")
