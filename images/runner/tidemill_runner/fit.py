"""Fitting and predicting, with the estimator's own complaints turned into reasons and ways out."""

import logging
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from numpy.typing import NDArray
from sklearn.pipeline import Pipeline

from tidemill_runner import complaints, summing
from tidemill_runner.columns import Roles
from tidemill_runner.failures import Failure
from tidemill_runner.user_code.kept_onnx import KeptOnnx
from tidemill_runner.user_code.kept_trees import KeptTrees

log = logging.getLogger(__name__)

MAX_WARNINGS = 20


def fit(
    pipeline: Pipeline,
    features: NDArray[Any],
    target: NDArray[Any],
    roles: Roles,
    given: Mapping[str, Any] | None = None,
) -> None:
    """Fit in place, with what else the steps are `given`; raises Failure."""
    with guarded(pipeline, features, target, roles):
        pipeline.fit(features, target, **(given or {}))


@contextmanager
def guarded(
    pipeline: Pipeline, features: NDArray[Any], target: NDArray[Any], roles: Roles
) -> Iterator[None]:
    """Fit within: what is wrong with the rows, or complained of, is Failure."""
    check_variety(features, roles)
    try:
        with explained(pipeline, roles), summing.in_order(pipeline):
            yield
    except Failure as failure:
        raise complaints.of_rows(failure, features, target, roles) from None


def check_variety(features: NDArray[Any], roles: Roles) -> None:
    """Tell columns of one value; refuse where there is nothing else."""
    alike = complaints.constant(features, roles)
    if len(alike) == len(roles.features):
        raise Failure(
            "FeaturesInvalid",
            f"the columns {complaints.some(alike)} have one value each in the {len(features)} rows "
            "trained on, so there is nothing to learn from: deliver rows that differ, or other "
            "columns",
        )
    if alike:
        log.warning("of one value in all rows trained on: %s", complaints.some(alike))


@contextmanager
def explained(pipeline: Pipeline, roles: Roles) -> Iterator[None]:
    """Failure for whatever the estimator raises; its warnings go to the log, each once."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            yield
        except (MemoryError, Failure):
            raise
        except Exception as error:
            # Any exception here comes from the estimator and the data it was given: the traceback
            # goes to the log, the estimator's words to the user.
            log.exception("%s failed", name_of(pipeline))
            raise complaints.explain(error, pipeline, roles) from None
        finally:
            for line in sorted({str(warning.message) for warning in caught})[:MAX_WARNINGS]:
                log.warning("scikit-learn: %s", line.splitlines()[0] if line else "")


def name_of(pipeline: Pipeline) -> str:
    """The class of the last step, for messages."""
    last = pipeline.steps[-1][1]
    return last.title if isinstance(last, KeptTrees | KeptOnnx) else type(last).__name__
