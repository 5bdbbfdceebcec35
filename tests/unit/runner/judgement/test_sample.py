"""The sample shows what the documentation says of it."""

from pathlib import Path
from typing import Any

import yaml
from tests.unit.runner.judgement.scenes import by_name, report
from tests.unit.runner.workshop import Workshop

from tidemill.training.judgement import summary, words

SAMPLE = Path(__file__).parents[4] / "manifests" / "samples" / "judgement"


def spec(name: str) -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load((SAMPLE / f"{name}.yaml").read_text())["spec"]
    return found


def test_the_sample_is_judged_as_documented(workshop: Workshop) -> None:
    workshop.deliver(data_csv=spec("dataset")["source"]["inline"]["data"])
    found = workshop.train(workshop.ingest(), spec("trainingrun"))["judgement"]
    verdicts = {
        name: one["against"][0]["verdict"] for name, one in by_name(found["baselines"]).items()
    }
    assert verdicts == {"Majority": "Better", "LastValue": "Worse", "Linear": "Inconclusive"}
    assert [one["verdict"] for one in found["fairness"]] == ["Failed", "Inconclusive"]
    assert found["groups"]["count"] == 60
    assert found["warnings"] == []
    assert words(summary(found)) == (
        "worse than LastValue (accuracy 0.74 against 0.943); not told apart from Linear (accuracy "
        "0.74 against 0.74); demographic_parity_difference of sex is 0.464, more than 0.1"
    )
    assert "by customer, not rows" in report(workshop)
    told = found["contributed"]
    assert (told["unit"], told["note"], told["rows"]) == ("score", "", 192)
    assert told["features"][0]["feature"] == found["explained"]["importance"][0]["feature"]
