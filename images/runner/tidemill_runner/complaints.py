"""What an estimator complains of, as a reason, in words, with the way out.

scikit-learn says what it met in an array; here that is told of columns, classes and parameters.
"""

import re
import traceback
from collections import Counter
from types import TracebackType
from typing import Any

from numpy.typing import NDArray
from sklearn.base import BaseEstimator
from sklearn.compose import ColumnTransformer
from sklearn.pipeline import FeatureUnion, Pipeline
from sklearn.utils._param_validation import InvalidParameterError

from tidemill_runner.columns import Roles
from tidemill_runner.failures import Failure
from tidemill_runner.schema import ColumnType

_NOT_FINITE = re.compile(
    r"non-finite|overflow|underflow|infinity or a value too large|diverge", re.IGNORECASE
)
_FEW_OF_A_CLASS = re.compile(
    r"least populated class|number of members in each class|examples for at least one class"
    r"|only 1 sample in class"
)
_UNKNOWN = re.compile(r"Found unknown categories \[(.*)\] in column \d+")
_BOOSTED = ("XGBoostError", "LightGBMError")
# Where in its own sources XGBoost stood.
_STACK = re.compile(r"^\[[\d:]+\] \S+ |\s*Stack trace:.*$")
_OF_A_PARAMETER = re.compile(
    r"param|valid values|unknown (boosting|metric|objective)|check failed: \(\w+\)", re.IGNORECASE
)
MAX_SHOWN = 8


def explain(error: Exception, pipeline: Pipeline, roles: Roles) -> Failure:
    """A Failure for what a step raised."""
    text = " ".join(line.strip() for line in str(error).splitlines() if line.strip())[:700]
    who = culprit(error, pipeline)
    if isinstance(error, InvalidParameterError):
        return Failure("ParameterInvalid", f"spec.estimator.sklearn.steps: {text}")
    if type(error).__name__ in _BOOSTED:
        text = _STACK.sub("", text)
        if _OF_A_PARAMETER.search(text):
            return Failure("ParameterInvalid", f"spec.estimator.sklearn.steps: {who}: {text}")
    if unknown := _UNKNOWN.search(text):
        return Failure(
            "FeaturesInvalid",
            f"{who} met values that no row it was fitted on has: {unknown[1][:200]}: set "
            "handle_unknown: ignore (OneHotEncoder), or handle_unknown: use_encoded_value with "
            "unknown_value: -1 (OrdinalEncoder)",
        )
    gaps = [column.name for column in roles.features if column.nullable]
    if "contains NaN" in text and gaps:
        return Failure(
            "FeaturesInvalid",
            f"the columns {some(gaps)} have missing values, which {who} does not "
            "take: begin the steps with sklearn.impute.SimpleImputer, exclude the columns, or use "
            "sklearn.ensemble.HistGradientBoosting…, which takes them as they are",
        )
    texts = [c.name for c in roles.features if c.type is ColumnType.STRING]
    if ("could not convert string to float" in text or "non-numeric data" in text) and texts:
        return Failure(
            "FeaturesInvalid",
            f"the columns {some(texts)} hold text, which {who} does not take: begin the steps with "
            "a sklearn.compose.ColumnTransformer that has an OrdinalEncoder or OneHotEncoder for "
            "columns: categorical, or exclude them",
        )
    if _NOT_FINITE.search(text):
        return Failure(
            "LossNotFinite",
            f"{who}: {text}: scale the features (sklearn.preprocessing."
            "StandardScaler) or lower the learning rate",
        )
    return Failure(
        "FitFailed",
        f"{who} raised {type(error).__name__}: {text or 'no message'}: change "
        "spec.estimator, spec.features or the data",
    )


def of_rows(
    failure: Failure, features: NDArray[Any], target: NDArray[Any], roles: Roles
) -> Failure:
    """The failed fit again, where the rows trained on tell more than its own words."""
    if failure.reason != "FitFailed":
        return failure
    if _FEW_OF_A_CLASS.search(failure.message):
        label, count = min(Counter(target.tolist()).items(), key=lambda pair: (pair[1], str(pair)))
        return Failure(
            "TargetInvalid",
            f"spec.target: class {label!r} has {count} of the rows trained on, too few to be cut "
            f"into parts: deliver more of it, remove it, or take fewer parts (cv, early_stopping) "
            f"({failure.message})",
        )
    # Estimators that take gaps may still fail, obscurely, on a column of nothing else.
    if empty := without_values(features, roles):
        return Failure(
            "FeaturesInvalid",
            f"the columns {some(empty)} have no value in the rows trained on: add them to "
            f"spec.features.exclude ({failure.message})",
        )
    return failure


def culprit(error: Exception, pipeline: Pipeline) -> str:
    """The class of the innermost step that was at work when the error was raised."""
    named = {type(part) for part in pipeline.get_params(deep=True).values()}
    named -= {Pipeline, ColumnTransformer, FeatureUnion}
    at_work = [owner for owner in _owners(error.__traceback__) if type(owner) in named]
    return type(at_work[-1] if at_work else pipeline.steps[-1][1]).__name__


def _owners(trace: TracebackType | None) -> list[BaseEstimator]:
    frames = [frame for frame, _ in traceback.walk_tb(trace)]
    owners = [frame.f_locals.get("self") for frame in frames]
    return [owner for owner in owners if isinstance(owner, BaseEstimator)]


def constant(features: NDArray[Any], roles: Roles) -> list[str]:
    """The columns with a value and no second one; a gap counts as one."""
    same = [_alike(features[:, i]) for i in range(features.shape[1])]
    return [c.name for c, alike in zip(roles.features, same, strict=True) if alike]


def _alike(values: NDArray[Any]) -> bool:
    # Most columns show within a few rows that they are not.
    return all((part == values[0]).all() for part in (values[:100], values[100:]))


def without_values(features: NDArray[Any], roles: Roles) -> list[str]:
    """The columns of gaps alone."""
    # NaN alone differs from itself, among objects as well.
    empty = [(features[:, i] != features[:, i]).all() for i in range(features.shape[1])]
    return [c.name for c, nothing in zip(roles.features, empty, strict=True) if nothing]


def some(names: list[str]) -> str:
    """The first of the names, and how many more there are."""
    rest = f" and {len(names) - MAX_SHOWN} more" if len(names) > MAX_SHOWN else ""
    return ", ".join(map(repr, names[:MAX_SHOWN])) + rest
