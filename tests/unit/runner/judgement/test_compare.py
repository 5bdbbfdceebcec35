"""Runs beside each other: all of both, what differs, and no verdict that numbers do not bear."""

import json
import re
import subprocess
import sys
from typing import Any

import pytest
from tests.unit.runner.description.test_page import HOSTILE, Page
from tests.unit.runner.judgement.scenes import TREE, csv, noise, sticky
from tests.unit.runner.workshop import Workshop, classification, estimator

from tidemill.pages.compare import MOST_RUNS, Run, compare

SPEC = classification(
    split={"by": "Order", "holdout": "0.25"},
    estimator=estimator(TREE),
    evaluation={
        "slices": [{"column": "kind", "minRows": 20}],
        "fairness": [
            {"sensitive": "kind", "metric": "equalized_odds_difference", "max": "0.1"},
        ],
    },
    features={"exclude": ["kind"]},
)


def result(workshop: Workshop, spec: dict[str, Any], **data: Any) -> dict[str, Any]:
    """As it comes out of the store."""
    columns = {**noise(), "kind": ["x", "y"] * 300, **data}
    workshop.deliver(data_csv=csv(columns))
    found: dict[str, Any] = json.loads(json.dumps(workshop.train(workshop.ingest(), spec)))
    return found


def two(workshop: Workshop) -> list[Run]:
    other = {**SPEC, "estimator": estimator((TREE[0], {"max_depth": 5, "random_state": 0}))}
    return [
        Run("shallow", result(workshop, SPEC), SPEC),
        Run("deep", result(workshop, other), other),
    ]


def test_it_has_every_part_of_both(workshop: Workshop) -> None:
    page = Page(compare(two(workshop)))
    for part in (
        *("shallow · deep", "Metrics", "Beside simple models", "Parts of the data", "Fairness"),
        *("What they go by", "What was asked differently", "Facts", "LastValue", "kind: x"),
        "spec.estimator.sklearn.steps[s0].params.max_depth",
    ):
        assert part in page.text, part
    assert "spec.split.holdout" not in page.text  # it is the same
    assert "different versions" not in page.text


def test_what_does_not_compare_is_said(workshop: Workshop) -> None:
    first = result(workshop, SPEC)
    other = {**SPEC, "split": {"by": "Order", "holdout": "0.5"}}
    second = result(workshop, other, y=sticky(600)["y"])
    text = Page(compare([Run("a", first, SPEC), Run("b", second, other)])).text
    assert "different versions of data" in text
    assert "Different numbers of rows were held out" in text
    assert "Rows were held out in different ways" in text


def test_it_stands_alone_and_is_escaped(workshop: Workshop) -> None:
    runs = two(workshop)
    html = compare([Run(HOSTILE, runs[0].result, runs[0].spec), runs[1]])
    page = Page(html)
    assert not {"script", "link", "img"} & set(page.tags)
    assert not re.search(r"https?://|url\(|@import", html)
    for part in html.split('<div class="wide">')[1:]:
        cells = part.split("<tbody>")[1].split("</tbody>")[0]
        assert cells.count("<td") == cells.count("<td data-head=")


def test_a_result_without_a_judgement_is_shown(workshop: Workshop) -> None:
    run = two(workshop)[0]
    bare = {name: value for name, value in run.result.items() if name != "judgement"}
    text = Page(compare([Run("old", bare), Run("older", bare)])).text
    assert "accuracy" in text
    assert "Beside simple models" not in text


@pytest.mark.parametrize("count", [0, 1, MOST_RUNS + 1])
def test_so_many_runs_are_not_compared(count: int) -> None:
    with pytest.raises(ValueError, match=f"from 2 to {MOST_RUNS} runs can be compared"):
        compare([Run(str(n), {}) for n in range(count)])


def test_many_runs_are_bounded(workshop: Workshop) -> None:
    run = two(workshop)[0]
    html = compare([Run(f"r{n}", run.result, run.spec) for n in range(MOST_RUNS)])
    assert len(html) < 200_000


def test_the_plugin_can_import_it() -> None:
    """The plugin is installed without numpy and the runner."""
    code = (
        "import sys, tidemill.pages.compare;"
        "sys.exit(any(m.split('.')[0] in ('numpy', 'tidemill_runner') for m in sys.modules))"
    )
    subprocess.run([sys.executable, "-c", code], check=True, env={"PYTHONPATH": "operator"})
