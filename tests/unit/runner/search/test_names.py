"""Parameters by their names, and what is judged of a search before any data is read."""

from typing import Any

import pytest
from tests.unit.runner.workshop import classification, estimator

from tidemill_runner import train_input
from tidemill_runner.failures import Failure
from tidemill_runner.search.space import applied, begun
from tidemill_runner.train_input import Training

FOREST = "sklearn.ensemble.RandomForestClassifier"
BAGGING = "sklearn.ensemble.BaggingClassifier"
TREE = "sklearn.tree.DecisionTreeClassifier"
COLUMNS: dict[str, Any] = {
    "transformers": [
        {
            "name": "numbers",
            "columns": "numeric",
            "steps": [{"name": "fill", "class": "sklearn.impute.SimpleImputer"}],
        },
        {"name": "rest", "columns": ["c"], "class": "sklearn.preprocessing.OneHotEncoder"},
    ]
}
STEPS = estimator(
    ("sklearn.compose.ColumnTransformer", COLUMNS),
    (BAGGING, {"estimator": {"class": TREE, "params": {"max_depth": 2}}}),
)


def training(steps: dict[str, Any] = STEPS, **search: Any) -> Training:
    spec = classification(estimator=steps, **({"search": search} if search else {}))
    document = {
        "namespace": "ns",
        "name": "power",
        "uid": "u-1",
        "output": "runs/ns/u-1/job/",
        "dataset": {"name": "power", "version": "v", "manifest": "m", "cas": "cas"},
        "spec": spec,
        "models": "models/",
    }
    return train_input.train(document).training


@pytest.mark.parametrize(
    ("name", "path"),
    [
        ("s1__n_estimators", (1, "n_estimators")),
        ("s1__estimator__max_depth", (1, "estimator", "params", "max_depth")),
        ("s1__estimator", (1, "estimator")),
        (
            "s0__numbers__fill__strategy",
            (0, "transformers", 0, "steps", 0, "params", "strategy"),
        ),
        ("s0__rest__min_frequency", (0, "transformers", 1, "params", "min_frequency")),
        ("s0__remainder", (0, "remainder")),
    ],
)
def test_a_name_is_a_place_in_the_steps(name: str, path: tuple[Any, ...]) -> None:
    before = training()
    changed = applied(before, {name: "here"})
    first, *rest = path
    value: Any = changed.steps[first].params
    for part in rest:
        value = value[part]
    assert value == "here"
    assert before == training()


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("s2__max_depth", "there is no step 's2'; there are s0, s1"),
        ("s0__number__fill__strategy", "params has no estimator 'number'; did you mean 'numbers'?"),
        ("s1__base__max_depth", "params has no estimator 'base'; there are estimator"),
        ("s0__numbers__strategy", "no step of the pipeline and a parameter of it follow there"),
        ("s0__numbers__fil__strategy", "parameter of it follow there; did you mean 'fill'?"),
        (
            "s1__estimator__max_dept",
            "DecisionTreeClassifier has no parameter 'max_dept'; did you mean 'max_depth'",
        ),
    ],
)
def test_a_name_that_is_none(name: str, told: str) -> None:
    space = {name: {"values": [1]}}
    with pytest.raises(Failure) as caught:
        begun(training(method="Grid", space=space))
    assert caught.value.reason == "ParameterInvalid"
    assert caught.value.message.startswith(f"spec.search.space.{name}: ")
    assert told in caught.value.message


def drawn(low: str, high: str, kind: str = "Int", name: str = "s0__max_depth") -> dict[str, Any]:
    space = {name: {"low": low, "high": high, "type": kind}}
    return {"method": "Random", "trials": 3, "space": space}


def listed(name: str, *values: Any) -> dict[str, Any]:
    return {"method": "Grid", "space": {name: {"values": list(values)}}}


@pytest.mark.parametrize(
    ("search", "told"),
    [
        (listed("s0__max_depth", 3, "deep"), "s0__max_depth: 'deep': The 'max_depth' parameter of"),
        (listed("s0__max_depth", 3, 0), "s0__max_depth: 0: The 'max_depth' parameter of"),
        (drawn("0", "5"), "s0__max_depth: 0: The 'max_depth' parameter of"),
        (
            drawn("0.1", "0.9", "Float", "s0__min_weight_fraction_leaf"),
            "s0__min_weight_fraction_leaf: 0.9: The 'min_weight_fraction_leaf'",
        ),
        (
            listed("s0__max_depth", {"class": "os.system"}),
            "s0__max_depth: {'class': 'os.system'}: ",
        ),
        (
            {**drawn("1", "5"), "metric": "rmse"},
            "spec.search.metric: 'rmse' is no metric of Classification",
        ),
        (
            {
                "method": "Grid",
                "space": {f"s0__{n}": {"values": [3] * 11} for n in ("a", "b", "c")},
            },
            "spec.search.space: the grid has 1,331 combinations, at most 1,000 are tried",
        ),
    ],
    ids=[
        *("a type", "a value", "an end", "a range", "no estimator", "a metric of the other task"),
        "a grid too large",
    ],
)
def test_what_is_refused_before_data_is_read(search: dict[str, Any], told: str) -> None:
    with pytest.raises(Failure) as caught:
        begun(training(estimator((FOREST, {})), **search))
    assert told in caught.value.message


def test_a_metric_of_probabilities_needs_them() -> None:
    svc = estimator(("sklearn.svm.LinearSVC", {}))
    search = {**listed("s0__C", 1.0), "metric": "log_loss"}
    with pytest.raises(Failure, match=r"spec\.search\.metric: log_loss needs probabilities"):
        begun(training(svc, **search))


def test_weights_that_would_not_count_are_refused() -> None:
    search = listed("s0__estimator", {"class": "sklearn.neighbors.KNeighborsClassifier"})
    spec = training(estimator((BAGGING, {})), **search)
    weighed = Training(**{**vars(spec), "weights": "w"})
    with pytest.raises(Failure, match=r"spec\.search\.space\.s0__estimator"):
        begun(weighed)


def test_what_only_the_search_gives_may_be_missing_in_params() -> None:
    search = listed("s0__estimator", {"class": TREE})
    path = "sklearn.multiclass.OneVsRestClassifier"
    assert begun(training(estimator((path, {})), **search)).steps[0].params
