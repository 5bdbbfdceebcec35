"""The sample on the cluster: judged in its own pod, told in status, report and card."""

import json
from pathlib import Path

from tests.e2e.raw_store import RawStore
from tests.e2e.test_path import BUCKET
from tests.e2e.world import World, summary

SAMPLE = Path(__file__).parents[2] / "manifests" / "samples" / "judgement"


def test_the_sample_is_judged_and_its_condition_says_what_is_bad(
    world: World, raw: RawStore
) -> None:
    world.kubectl("apply", "-n", world.namespace, "-f", str(SAMPLE))
    run = world.wait_ready("TrainingRun", "loans")
    judgement = run["status"]["judgement"]
    assert {one["name"]: one["verdict"] for one in judgement["baselines"]} == {
        "Majority": "Better",
        "LastValue": "Worse",
        "Linear": "Inconclusive",
    }
    assert [one["verdict"] for one in judgement["fairness"]] == ["Failed", "Inconclusive"]
    assert "; worse than LastValue (accuracy 0.74 against 0.943); " in summary(run)["message"]
    page = raw.get(_key(run["status"]["report"]), bucket=BUCKET).decode()
    assert "Worse than LastValue: accuracy 0.74 against 0.943" in page
    assert "What features contribute" in page
    package = _key(run["status"]["artifact"]["uri"])
    card = json.loads(raw.get(f"{package}card.json", bucket=BUCKET))
    assert card["data"]["rowsHeldOut"] == 192


def _key(uri: str) -> str:
    return uri.removeprefix(f"s3://{BUCKET}/")
