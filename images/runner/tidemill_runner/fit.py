"""Fitting and predicting, with the estimator's own complaints turned into reasons and ways out."""

import logging
import re
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.pipeline import Pipeline
from sklearn.utils._param_validation import InvalidParameterError

from tidemill_runner import summing
from tidemill_runner.columns import Roles
from tidemill_runner.failures import Failure
from tidemill_runner.schema import ColumnType

log = logging.getLogger(__name__)

_NOT_FINITE = re.compile(
    r"non-finite|overflow|underflow|infinity or a value too large|diverge", re.IGNORECASE
)
MAX_WARNINGS = 20


def fit(pipeline: Pipeline, features: NDArray[Any], target: NDArray[Any], roles: Roles) -> None:
    """Fit in place; raises Failure."""
    try:
        with explained(pipeline, roles), summing.in_order(pipeline):
            pipeline.fit(features, target)
    except Failure as failure:
        empty = _without_values(features, roles)
        # Estimators that take gaps may still fail, obscurely, on a column of nothing else.
        if failure.reason == "FitFailed" and empty:
            raise Failure(
                "FeaturesInvalid",
                f"the columns {_some(empty)} have no value in the rows trained on: add them to "
                f"spec.features.exclude ({failure.message})",
            ) from None
        raise


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
            raise _explain(error, pipeline, roles) from None
        finally:
            for line in sorted({str(warning.message) for warning in caught})[:MAX_WARNINGS]:
                log.warning("scikit-learn: %s", line.splitlines()[0] if line else "")


def name_of(pipeline: Pipeline) -> str:
    """The class of the last step, for messages."""
    return type(pipeline.steps[-1][1]).__name__


def _explain(error: Exception, pipeline: Pipeline, roles: Roles) -> Failure:
    text = " ".join(line.strip() for line in str(error).splitlines() if line.strip())[:700]
    if isinstance(error, InvalidParameterError):
        return Failure("ParameterInvalid", f"spec.estimator.sklearn.steps: {text}")
    gaps = [repr(column.name) for column in roles.features if column.nullable]
    if "contains NaN" in text and gaps:
        return Failure(
            "FeaturesInvalid",
            f"the columns {_some(gaps)} have missing values, which {name_of(pipeline)} does not "
            "take: begin the steps with sklearn.impute.SimpleImputer, exclude the columns, or use "
            "sklearn.ensemble.HistGradientBoosting…, which takes them as they are",
        )
    texts = [repr(c.name) for c in roles.features if c.type is ColumnType.STRING]
    if "could not convert string to float" in text and texts:
        return Failure(
            "FeaturesInvalid",
            f"the columns {_some(texts)} hold text, which {name_of(pipeline)} does not take: begin "
            "the steps with sklearn.preprocessing.OrdinalEncoder or OneHotEncoder, or exclude them",
        )
    if _NOT_FINITE.search(text):
        return Failure(
            "LossNotFinite",
            f"{name_of(pipeline)}: {text}: scale the features (sklearn.preprocessing."
            "StandardScaler) or lower the learning rate",
        )
    return Failure(
        "FitFailed",
        f"{name_of(pipeline)} raised {type(error).__name__}: {text or 'no message'}: change "
        "spec.estimator, spec.features or the data",
    )


def _without_values(features: NDArray[Any], roles: Roles) -> list[str]:
    if features.dtype != np.float64:
        return []
    empty = np.isnan(features).all(axis=0)
    return [repr(c.name) for c, nothing in zip(roles.features, empty, strict=True) if nothing]


def _some(names: list[str]) -> str:
    rest = f" and {len(names) - 8} more" if len(names) > 8 else ""
    return ", ".join(names[:8]) + rest
