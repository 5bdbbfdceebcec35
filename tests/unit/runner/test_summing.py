"""What adds up in the order in which its threads are done has so many that none matters."""

import numpy as np
import pytest
from sklearn.base import BaseEstimator
from sklearn.cluster import KMeans
from sklearn.ensemble import AdaBoostClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import KBinsDiscretizer, StandardScaler
from threadpoolctl import threadpool_info, threadpool_limits

from tidemill_runner.summing import THREADS, in_order

MANY = 5
INNER = Pipeline([("k", KMeans(3)), ("m", LogisticRegression())])


def threads(*steps: BaseEstimator) -> set[int]:
    """How many threads OpenMP has while these are fitted, where there would be many."""
    np.linalg.inv(np.eye(3))  # what counts threads has to be loaded
    pipeline = Pipeline([(f"s{n}", step) for n, step in enumerate(steps)])
    with threadpool_limits(MANY, user_api="openmp"), in_order(pipeline):
        return {one["num_threads"] for one in threadpool_info() if one["user_api"] == "openmp"}


@pytest.mark.parametrize("step", [KMeans(3), KBinsDiscretizer(), AdaBoostClassifier(INNER)])
def test_k_means_has_two_wherever_it_is(step: BaseEstimator) -> None:
    assert threads(StandardScaler(), step) == {THREADS}


def test_all_else_has_what_there_is() -> None:
    assert threads(StandardScaler(), LogisticRegression()) == {MANY}
