"""A run with a search: the package, the result, the report, and what is told on the way."""

import json
from typing import Any

import pytest
from tests.unit.runner import workshop as workshops
from tests.unit.runner.search.benches import GRID, RANDOM, TREE
from tests.unit.runner.workshop import Workshop, classification, estimator, regression, rows

from tidemill_runner.failures import Failure
from tidemill_runner.progress import Progress, Subject

STEPS = estimator((TREE, {"splitter": "random"}))


@pytest.fixture
def ingested(workshop: Workshop) -> dict[str, Any]:
    workshop.deliver(data_csv=rows(120))
    return workshop.ingest()


def test_the_package_is_that_of_a_run_with_these_parameters(
    workshop: Workshop, ingested: dict[str, Any]
) -> None:
    searched = workshop.train(ingested, classification(estimator=STEPS, search=RANDOM))
    best = searched["search"]["best"]["params"]
    params = {name.removeprefix("s0__"): value for name, value in best.items()}
    own = estimator((TREE, {"splitter": "random", **params}))
    written = workshop.train(ingested, classification(estimator=own))
    assert searched["artifact"]["digest"] == written["artifact"]["digest"]
    assert searched["metrics"] == written["metrics"]


def test_the_result_has_every_trial(workshop: Workshop, ingested: dict[str, Any]) -> None:
    result = workshop.train(ingested, classification(estimator=STEPS, search=GRID))
    search = json.loads(json.dumps(result["search"]))
    assert [one["number"] for one in search["trials"]] == list(range(6))
    assert (search["method"], search["metric"], search["failed"]) == ("Grid", "accuracy", 0)
    assert search["best"]["value"] == max(one["value"] for one in search["trials"])
    assert all(len(one["folds"]) == 3 for one in search["trials"])
    assert set(result["seconds"]) >= {"search", "fit"}


def test_the_report_shows_the_search(workshop: Workshop, ingested: dict[str, Any]) -> None:
    space = {**RANDOM["space"], "s0__class_weight": {"values": ["None", {"0": 1, "1": 2}]}}
    search = {**RANDOM, "space": space, "metric": "log_loss"}
    result = workshop.train(ingested, classification(estimator=STEPS, search=search))
    page = workshop.store.objects[result["report"].removeprefix("s3://tidemill/")].decode()
    assert "8 trials by Random, judged by log_loss on the rows trained on alone" in page
    assert page.count("Each dot is a trial") == page.count("A line is a trial") == 1
    assert "(fANOVA)" in page
    assert "s0__class_weight={&quot;0&quot;: 1, &quot;1&quot;: 2}" in page


def test_a_run_without_a_search_says_nothing_of_one(
    workshop: Workshop, ingested: dict[str, Any]
) -> None:
    result = workshop.train(ingested, classification())
    assert "search" not in result
    assert "Search" not in workshop.store.objects["runs/ns/u-1/job/report.html"].decode()


def test_a_failed_trial_is_told_and_the_search_goes_on(
    workshop: Workshop, ingested: dict[str, Any]
) -> None:
    steps = estimator(("sklearn.decomposition.PCA", {}), (TREE, {}))
    search = {"method": "Grid", "space": {"s0__n_components": {"values": [5, 1]}}}
    result = workshop.train(ingested, classification(estimator=steps, search=search))
    failed, done = result["search"]["trials"]
    assert failed["reason"] == "FitFailed"
    assert "PCA raised ValueError: n_components=5 must be between" in failed["message"]
    assert (result["search"]["failed"], result["search"]["best"]["number"]) == (1, 1)
    assert done["params"] == {"s0__n_components": 1}
    page = workshop.store.objects["runs/ns/u-1/job/report.html"].decode()
    assert "1 of them failed" in page
    assert "n_components=5 must be between" in page


def test_where_all_trials_fail_the_run_does(workshop: Workshop, ingested: dict[str, Any]) -> None:
    steps = estimator(("sklearn.decomposition.PCA", {}), (TREE, {}))
    search = {"method": "Grid", "space": {"s0__n_components": {"values": [5, 6]}}}
    with pytest.raises(Failure, match="all 2 trials failed; the first of them: PCA raised"):
        workshop.train(ingested, classification(estimator=steps, search=search))


def test_a_leak_among_the_rows_held_out_is_not_used(workshop: Workshop) -> None:
    """Column b tells the class of the last rows, and of those trained on tells nothing."""
    lines = ["a,b,y"]
    for i in range(200):
        y = (i * 7 % 10) > 4
        a = int(y) if i % 10 else int(not y)
        b = int(y) if i >= 140 else i % 2
        lines.append(f"{a},{b},{int(y)}")
    workshop.deliver(data_csv="\n".join(lines) + "\n")
    ingested = workshop.ingest()
    columns = {
        "transformers": [{"name": "chosen", "columns": ["a", "b"], "class": "passthrough"}],
    }
    steps = estimator(
        ("sklearn.compose.ColumnTransformer", columns),
        ("sklearn.tree.DecisionTreeClassifier", {"max_depth": 1}),
    )
    only = [[{"name": "chosen", "columns": [name], "class": "passthrough"}] for name in ("a", "b")]
    split = {"holdout": "0.3", "by": "Order"}
    judged = {
        name: workshop.train(ingested, classification(estimator=written, split=split))["metrics"][0]
        for name, written in (("a", one(steps, only[0])), ("b", one(steps, only[1])))
    }
    search = {"method": "Grid", "space": {"s0__transformers": {"values": only}}}
    spec = classification(estimator=steps, split=split, search=search)
    result = workshop.train(ingested, spec)
    assert result["search"]["best"]["params"]["s0__transformers"] == only[0]
    assert result["metrics"][0] == judged["a"]


def one(steps: dict[str, Any], transformers: list[Any]) -> dict[str, Any]:
    changed = json.loads(json.dumps(steps))
    changed["sklearn"]["steps"][0]["params"]["transformers"] = transformers
    return dict(changed)


def test_by_time_weights_texts_and_groups(workshop: Workshop) -> None:
    lines = (
        f"{(i * 7) % 120},{i % 11},{'uv'[i % 2]},{1 + i % 3},{i // 4},{int(i % 11 > 5)}\n"
        for i in range(120)
    )
    workshop.deliver(data_csv="t,a,c,w,g,y\n" + "".join(lines))
    ingested = workshop.ingest()
    encoder = ("sklearn.preprocessing.OrdinalEncoder", {})
    steps = estimator(encoder, ("sklearn.tree.DecisionTreeClassifier", {}))
    space = {"s1__max_depth": {"values": [1, 3]}}
    for split in ({"by": "Time", "column": "t"}, {"by": "Random"}):
        spec = classification(
            estimator=steps,
            split={"holdout": "0.2", **split},
            weights={"column": "w"},
            features={"exclude": ["t", "g"]},
            evaluation={"groupBy": ["g"]} if split["by"] == "Random" else {},
            search={"method": "Grid", "space": space, "cv": {"folds": 2}},
        )
        assert workshop.train(ingested, spec)["search"]["failed"] == 0


def test_numbers_are_searched_as_classes_are(workshop: Workshop, ingested: dict[str, Any]) -> None:
    space = {"s0__alpha": {"low": "0.01", "high": "100", "type": "Float", "log": True}}
    search = {"method": "TPE", "trials": 12, "metric": "mae", "space": space, "parallelism": 3}
    result = workshop.train(ingested, regression(search=search))
    assert result["search"]["best"]["value"] == min(t["value"] for t in result["search"]["trials"])


def test_progress_tells_trial_and_best(
    workshop: Workshop, ingested: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[tuple[float, str]] = []

    class Told(Progress):
        def report(self, percent: float, message: str, eta_seconds: float | None = None) -> None:
            told.append((percent, message))
            super().report(percent, message, eta_seconds)

    subject = Subject("TrainingRun", "ns", "power", "u-1")
    monkeypatch.setattr(workshops, "_progress", lambda: Told(subject, None))
    workshop.train(ingested, classification(estimator=STEPS, search=GRID))
    trials = [one for one in told if one[1].startswith("trial ")]
    assert len(trials) == 6
    assert trials[2][1].startswith("trial 3 of 6, best accuracy=")
    assert [percent for percent, _ in told] == sorted(percent for percent, _ in told)
