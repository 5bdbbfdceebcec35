"""The catalogue of estimators: all of scikit-learn by public path, nothing else."""

import importlib

import pytest
from sklearn.base import BaseEstimator
from sklearn.utils import all_estimators
from tests.unit.runner.workshop import classification, estimator

from tidemill_runner import catalogue, estimators
from tidemill_runner.failures import Failure
from tidemill_runner.train_input import Training, _training


def training(*steps: object) -> Training:
    return _training(classification(estimator=estimator(*steps)), {})  # type: ignore[arg-type]


def test_every_public_estimator_is_there_but_those_refused() -> None:
    public = {name for name, _ in all_estimators()}
    known = {path.rsplit(".", 1)[-1] for path in catalogue.estimators()}
    assert public - known == {path.rsplit(".", 1)[-1] for path in catalogue.REFUSED}


@pytest.mark.parametrize("path", sorted(catalogue.estimators()))
def test_every_path_is_public_and_of_scikit_learn(path: str) -> None:
    module, name = path.rsplit(".", 1)
    cls = getattr(importlib.import_module(module), name)
    assert issubclass(cls, BaseEstimator)
    assert cls.__module__.startswith("sklearn.")
    assert not any(part.startswith("_") for part in path.split("."))


def test_the_seed_reaches_every_step_that_takes_one() -> None:
    pipeline = estimators.build(
        training(
            ("sklearn.decomposition.PCA", {}),
            ("sklearn.ensemble.RandomForestClassifier", {"random_state": 11}),
        )
    )
    assert pipeline[0].random_state == 3
    assert pipeline[1].random_state == 11


def test_steps_keep_names_and_parameters() -> None:
    pipeline = estimators.build(training(("sklearn.linear_model.LogisticRegression", {"C": 0.5})))
    assert [name for name, _ in pipeline.steps] == ["s0"]
    assert pipeline[0].C == 0.5


FOREST, BOOSTER = (
    "sklearn.ensemble.RandomForestClassifier",
    "sklearn.ensemble.HistGradientBoostingClassifier",
)


@pytest.mark.parametrize(
    ("path", "written", "meant"),
    [
        (FOREST, "1.0", 1.0),
        (FOREST, "1", 1),
        (FOREST, 2, 2),
        (FOREST, 0.5, 0.5),
        (FOREST, "sqrt", "sqrt"),
        (BOOSTER, 1, 1.0),
    ],
)
def test_a_share_is_told_from_a_count(path: str, written: object, meant: object) -> None:
    """The API server keeps 1.0 as 1: the whole of the features, or one of them."""
    pipeline = estimators.build(training((path, {"max_features": written})))
    assert pipeline[0].max_features == meant
    assert type(pipeline[0].max_features) is type(meant)


def test_a_share_that_may_be_a_count_is_asked_for() -> None:
    with pytest.raises(Failure) as caught:
        estimators.build(training((FOREST, {"max_features": 1})))
    for words in ("steps[0].params.max_features", 'write "1" for one', '"1.0" for all'):
        assert words in caught.value.message
