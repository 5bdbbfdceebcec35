"""Runs that cannot succeed: ended once, with the field or column, the way out, and the log."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import pytest
from tests.e2e import specs
from tests.e2e.raw_store import RawStore
from tests.e2e.refusals import assert_refused, assert_waits
from tests.e2e.specs import sklearn
from tests.e2e.test_path import BUCKET, rows
from tests.e2e.world import World

DATA = {
    "good": rows(200),
    "one-class": "a,b,label\n" + "1,2,up\n" * 50,
    "gaps-in-target": rows(60) + "1,2,\n" * 3,
    "nan-in-target": "a,b,label\n" + "1,2,0.5\n" * 30 + "1,2,NaN\n",
}
MODEL = "spec.estimator.sklearn.steps[0]"
LOGISTIC = "sklearn.linear_model.LogisticRegression"
SMALL = {"requests": {"cpu": "20m", "memory": "64Mi"}}


@dataclass(frozen=True)
class Bad:
    """What is asked for, the reason why it cannot be, and what the message must tell."""

    reason: str
    tells: tuple[str, ...]
    asked: Mapping[str, Any] = field(default_factory=dict)
    data: str = "good"


def model(path: str, **params: Any) -> dict[str, Any]:
    return {"estimator": sklearn(path, **params)}


def refused_class(path: str, *tells: str) -> Bad:
    return Bad("EstimatorRefused", (f"{MODEL}.class", path, *tells), model(path))


def refused_parameter(path: str, tells: tuple[str, ...], **params: Any) -> Bad:
    return Bad("ParameterInvalid", (f"{MODEL}.params", *tells), model(path, **params))


TARGETS = {
    "target-absent": Bad(
        "TargetMissing", ("spec.target", "'lable'", "did you mean 'label'"), {"target": "lable"}
    ),
    "one-class-only": Bad(
        "TargetInvalid",
        ("spec.target", "'label' has one class only, 'up'", "choose another target"),
        data="one-class",
    ),
    "empty-in-target": Bad(
        "TargetInvalid",
        ("spec.target", "'label' has no value at x.csv, data row 61", "and in 2 more", "fill them"),
        data="gaps-in-target",
    ),
    "nan-in-target": Bad(
        "TargetInvalid",
        ("spec.target", "'label' has no value at x.csv, data row 31", "remove these rows"),
        {"task": "Regression", **model("sklearn.linear_model.LinearRegression")},
        data="nan-in-target",
    ),
}
ESTIMATORS = {
    "class-that-runs-programs": refused_class("subprocess.Popen", "not an estimator"),
    "class-that-calls-functions": refused_class(
        "sklearn.preprocessing.FunctionTransformer", "calls a function"
    ),
}
PARAMETERS = {
    "wrong-parameter-name": refused_parameter(LOGISTIC, ("no parameter 'c'", "'C'"), c=1),
    "wrong-parameter-type": refused_parameter(LOGISTIC, ("'C'", "float", "Got 'much'"), C="much"),
    "parameter-that-imports": refused_parameter(
        "sklearn.neighbors.KNeighborsClassifier",
        ("'metric'", "Got 'os.system'"),
        metric="os.system",
    ),
    "parameter-that-executes": refused_parameter(
        "sklearn.svm.SVC", ("'kernel'", "__import__"), kernel="__import__('os').system('id')"
    ),
    "parameter-that-writes-files": refused_parameter(
        "sklearn.cluster.FeatureAgglomeration", ("memory", "use files"), memory="/tmp/x"
    ),
}
RUNS = {
    "fit-raises": Bad(
        "FitFailed",
        ("MultinomialNB raised ValueError", "Negative values", "change spec.estimator"),
        {
            "estimator": {
                "sklearn": {
                    "steps": [
                        {"name": "scale", "class": "sklearn.preprocessing.StandardScaler"},
                        {"name": "model", "class": "sklearn.naive_bayes.MultinomialNB"},
                    ]
                }
            }
        },
    ),
    "memory-limit-hit": Bad(
        "OOMKilled",
        ("memory limit of 300Mi", "raise spec.template.resources.limits.memory"),
        {
            **model("sklearn.neural_network.MLPClassifier", hidden_layer_sizes=[12000, 12000]),
            "template": {"resources": {**SMALL, "limits": {"memory": "300Mi"}}},
        },
    ),
    "deadline": Bad(
        "DeadlineExceeded",
        ("within the 8s of spec.deadline", "raise it", "last seen"),
        {
            **model("sklearn.ensemble.RandomForestClassifier", n_estimators=1_000_000),
            "deadline": "8s",
        },
    ),
    "version-that-does-not-exist": Bad(
        "VersionNotFound",
        (
            "spec.dataset.version",
            "Dataset good has no version 000000000000",
            "kubectl get tmds good",
        ),
        {"dataset": {"name": "good", "version": f"sha256:{'0' * 64}"}},
    ),
}
BAD = {**TARGETS, **ESTIMATORS, **PARAMETERS, **RUNS}
WITHOUT_A_POD = ("DeadlineExceeded", "VersionNotFound")


@pytest.fixture(scope="module")
def runs(common: World, raw: RawStore) -> World:
    """Every bad run, on its data."""
    for name, content in DATA.items():
        raw.put(f"{common.namespace}/{name}/x.csv", content)
    prefixes = {name: f"{common.namespace}/{name}/" for name in DATA}
    common.apply_all("Dataset", {name: specs.dataset(prefix) for name, prefix in prefixes.items()})
    small = {"template": {"resources": SMALL}}
    wanted = {
        name: specs.training_run(bad.data, **(small | dict(bad.asked))) for name, bad in BAD.items()
    }
    common.apply_all("TrainingRun", wanted)
    return common


@pytest.mark.parametrize("name", BAD)
def test_a_bad_run_is_refused(runs: World, raw: RawStore, name: str) -> None:
    bad = BAD[name]
    status = assert_refused(runs, "TrainingRun", name, bad.reason, bad.tells)["status"]
    assert "artifact" not in status
    assert raw.keys(f"models/{runs.namespace}/{name}/", bucket=BUCKET) == []
    if bad.reason not in WITHOUT_A_POD:
        failure = status["failure"]
        assert failure["reason"] == bad.reason
        assert failure["exitCode"] in (10, 20, 137)
        assert failure["log"] or bad.reason == "OOMKilled"


def test_a_fit_that_raises_leaves_its_traceback(runs: World) -> None:
    runs.wait_stalled("TrainingRun", "fit-raises", "FitFailed")
    body = runs.read("TrainingRun", "fit-raises")
    assert any("Negative values" in line for line in body["status"]["failure"]["log"])


def test_a_run_waits_for_a_dataset_that_is_not_there_yet(runs: World) -> None:
    ns = runs.namespace
    runs.apply("Dataset", "no-version", specs.dataset(f"{ns}/nothing/"))
    wanted = {"early": "late", "of-bad": "no-version"}
    runs.apply_all("TrainingRun", {run: specs.training_run(data) for run, data in wanted.items()})
    tells = ("Dataset late", "spec.dataset.name", "create it")
    assert_waits(runs, "TrainingRun", "early", "WaitingForDataset", tells)
    tells = ("Dataset no-version has no version yet", "kubectl describe tmds no-version")
    assert_waits(runs, "TrainingRun", "of-bad", "WaitingForDataset", tells)

    runs.apply_all("Dataset", dict.fromkeys(wanted.values(), specs.dataset(f"{ns}/good/")))
    for run in wanted:
        status = runs.wait_ready("TrainingRun", run)["status"]
        assert status["artifact"]["digest"].startswith("sha256:")
