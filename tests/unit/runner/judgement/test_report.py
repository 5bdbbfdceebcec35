"""The report and the card of a run: complete, self-contained, escaped, bounded."""

import json
import re
from typing import Any

import numpy as np
import pytest
from tests.unit.runner.description.test_page import HOSTILE, Page
from tests.unit.runner.judgement.scenes import Columns, judged, noise, report, tree
from tests.unit.runner.test_training import ENCODER, unpack
from tests.unit.runner.workshop import RIDGE, Workshop, estimator, regression, rows

NAME = "equalized_odds_difference"


def everything(workshop: Workshop) -> dict[str, Any]:
    """A run that asks for all there is, of hostile columns."""
    data: Columns = noise(1_500)
    data["who"] = np.arange(1_500) % 100
    header = f'"{HOSTILE.replace(chr(34), chr(34) * 2)}",b,y,who,<b>kind</b>'
    lines = [header]
    for i in range(1_500):
        line = (data["a"][i], data["b"][i], data["y"][i], data["who"][i], f"<i>{i % 3}")
        lines.append(",".join(map(str, line)))
    workshop.deliver(data_csv="\n".join(lines) + "\n")
    spec = {
        "task": "Classification",
        "target": "y",
        "seed": 1,
        "split": {"by": "Order", "holdout": "0.4"},
        "features": {"exclude": ["who"]},
        "estimator": estimator(ENCODER, ("sklearn.tree.DecisionTreeClassifier", {"max_depth": 3})),
        "evaluation": {
            "slices": [{"column": "<b>kind</b>"}],
            "groupBy": ["who"],
            "fairness": [{"sensitive": "<b>kind</b>", "metric": NAME, "max": "0.1"}],
            "explain": {"partialDependence": True},
        },
    }
    return workshop.train(workshop.ingest(), spec)


def test_the_report_has_every_part(workshop: Workshop) -> None:
    everything(workshop)
    page = Page(report(workshop))
    for part in (
        *("In short", "Metrics", "Beside simple models", "Parts of the data", "Fairness"),
        *("Probabilities", "What it goes by", "How it moves", "Confusion", "LastValue"),
        *("Calibration error", "Average precision", "predicted positive", "by who"),
    ):
        assert part.casefold() in page.text.casefold(), part
    order = [page.text.index(part) for part in ("In short", "Metrics", "Beside", "Package")]
    assert order == sorted(order)


def test_the_report_stands_alone_and_runs_nothing(workshop: Workshop) -> None:
    everything(workshop)
    html = report(workshop)
    page = Page(html)
    assert not {"script", "link", "img", "iframe"} & set(page.tags)
    assert "<i>" not in html
    assert "<b>" not in html
    assert not [value for name, value in page.attributes if name in {"href", "src", "style"}]
    assert not re.search(r"https?://|url\(|@import", html)
    assert "prefers-color-scheme:dark" in html
    assert 'name="viewport"' in html
    assert len(html) < 200_000


def test_on_a_narrow_screen_each_cell_bears_its_head(workshop: Workshop) -> None:
    everything(workshop)
    for part in report(workshop).split('<div class="wide">')[1:]:
        cells = part.split("<tbody>")[1].split("</tbody>")[0]
        assert cells.count("<td") == cells.count("<td data-head=")


def test_a_regression_shows_its_errors(workshop: Workshop) -> None:
    workshop.deliver(data_csv=rows(300, line="{a},{b},{a}.5"))
    spec = regression(estimator=estimator(RIDGE), evaluation={"explain": {}})
    found = workshop.train(workshop.ingest(), spec)["judgement"]
    assert found["calibration"] is None
    assert sum(part["n"] for part in found["residuals"]["parts"]) == 90
    text = Page(report(workshop)).text
    assert "Predicted less true:" in text
    assert "The middle 98 % of the errors." in text


def test_the_result_has_all_numbers_and_stays_small(workshop: Workshop) -> None:
    result = everything(workshop)
    found = result["judgement"]
    assert set(found) == {
        *("baselines", "groups", "slices", "fairness", "calibration", "curves", "residuals"),
        *("confusion", "explained", "contributed", "learning", "warnings"),
    }
    assert len(json.dumps(result, allow_nan=False)) < 60_000
    assert sum(bin_["n"] for bin_ in found["calibration"]["bins"]) == 600
    assert sum(map(sum, found["confusion"])) == 600
    assert found["curves"]["roc"][0] == [0, 0]


def test_the_card_tells_the_same_to_people_and_programs(workshop: Workshop) -> None:
    folder = unpack(workshop, everything(workshop))
    card = json.loads((folder / "card.json").read_bytes())
    assert card["format"] == "tidemill.dev/card/v1"
    assert card["model"]["classes"] == ["0", "1"]
    assert card["data"]["rowsHeldOut"] == 600
    assert {one["name"] for one in card["baselines"]} == {"Majority", "LastValue", "Linear"}
    text = (folder / "card.md").read_text(encoding="utf-8")
    for part in ("## Fairness", "## Beside simple models", "groups by who, not rows", "## Steps"):
        assert part in text
    for one in card["findings"]:
        assert one["words"][:30].split("<")[0].replace("_", "\\_") in text
    assert "<script" not in text.replace("\\<script", "")


def test_what_a_card_tells_does_not_depend_on_the_clock(workshop: Workshop) -> None:
    first, second = everything(workshop), everything(workshop)
    assert first["artifact"] == second["artifact"]


def test_numbers_have_nine_digits_so_that_another_machine_has_the_same(
    workshop: Workshop,
) -> None:
    result = everything(workshop)
    card = json.loads((unpack(workshop, result) / "card.json").read_bytes())
    for told in (result["judgement"], card):
        numbers = re.findall(r"\d+\.\d+", json.dumps(told))
        assert max(len(n.replace(".", "").lstrip("0")) for n in numbers) <= 9


@pytest.mark.parametrize("asked", [{}, {"metrics": ["f1_macro", "balanced_accuracy"]}])
def test_many_classes_are_told_without_a_curve(workshop: Workshop, asked: dict[str, Any]) -> None:
    data = noise(900)
    data["y"] = np.digitize(data["a"], np.linspace(-1, 1, 5))
    found = judged(workshop, data, estimator=tree(), evaluation=asked)
    assert found["curves"] is None
    assert found["calibration"]["ece"] >= 0
    assert "probability given of the predicted class" in report(workshop)


def test_no_probabilities_no_calibration(workshop: Workshop) -> None:
    found = judged(workshop, noise(), estimator=estimator("sklearn.svm.LinearSVC"))
    assert (found["calibration"], found["curves"]) == (None, None)


def test_a_judgement_of_few_rows(workshop: Workshop) -> None:
    data = {name: values[:12] for name, values in noise().items()}
    data["y"] = np.arange(12) % 2
    split = {"by": "Order", "holdout": "0.1"}
    found = judged(workshop, data, split=split, estimator=tree())
    assert found["baselines"][0]["against"][0]["baseline"]["n"] == 1
