"""The catalogue of estimators: all of scikit-learn by public path, nothing else."""

import importlib

import pytest
from sklearn.base import BaseEstimator
from sklearn.utils import all_estimators
from tests.unit.runner.workshop import classification, estimator

from tidemill_runner import catalogue, estimators
from tidemill_runner.inputs import Training, _training


def training(*steps: object) -> Training:
    return _training(classification(estimator=estimator(*steps)))  # type: ignore[arg-type]


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
