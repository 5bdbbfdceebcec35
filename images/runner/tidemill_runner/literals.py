"""Literal parameters: judged by scikit-learn's own constraints before any data is read.

What would open files is refused, and what JSON has lost on the way is asked for.
"""

from collections.abc import Mapping, Sequence
from numbers import Integral
from typing import Any

from sklearn.utils._param_validation import (
    Interval,
    InvalidParameterError,
    RealNotInt,
    validate_parameter_constraints,
)

from tidemill_runner.failures import Failure

# Parameters that make a class read or write files, and the only values that do not.
_FILES: dict[str, tuple[object, ...]] = {"memory": (None,), "input": ("content",)}
# Values that a fitted model would keep in a form that is not taken back.
_UNKEPT: dict[str, tuple[object, ...]] = {"categorical_features": (None, "from_dtype")}
# How a count and a share are told apart where both may be meant.
_WRITTEN: dict[object, object] = {"1": 1, "1.0": 1.0}


def read(cls: type[Any], name: str, value: object, field: str) -> object:
    """A value as the constructor takes it; raises Failure."""
    allowed = _FILES.get(name)
    if allowed is not None and value not in allowed:
        raise Failure(
            "ParameterInvalid",
            f"{field}.params.{name}: {value!r} would make {cls.__name__} use files; leave it out",
        )
    if name in _UNKEPT and value not in _UNKEPT[name]:
        raise Failure(
            "ParameterInvalid",
            f"{field}.params.{name}: what it fits cannot be kept without code: encode the columns "
            "before it, with sklearn.preprocessing.OrdinalEncoder or TargetEncoder in a "
            "ColumnTransformer",
        )
    constraints = _constraints(cls).get(name) or []
    if constraints != "no_validation" and isinstance(value, int | str):
        value = _number(constraints, value, f"{field}.params.{name}")
    # JSON has no tuples; some constraints take nothing else.
    takes_list = constraints == "no_validation" or any(
        c in (list, "array-like") for c in constraints
    )
    if isinstance(value, list) and tuple in constraints and not takes_list:
        return tuple(value)
    return value


def _number(constraints: Sequence[Any], value: int | str, field: str) -> object:
    """A number that may have been a fraction: the API server keeps 1.0 as 1."""
    ranges = [one for one in constraints if isinstance(one, Interval)]
    counts = any(one.is_satisfied_by(1) for one in ranges if one.type is Integral)
    shares = [one for one in ranges if one.type is RealNotInt]
    if counts and any(one.is_satisfied_by(1.0) for one in shares):
        if value in _WRITTEN:
            return _WRITTEN[value]
        if value == 1:
            raise Failure(
                "ParameterInvalid",
                f'{field}: 1 and 1.0 are the same in JSON, but not here: write "1" for one, and '
                '"1.0" for all of them',
            )
    if isinstance(value, int) and not any(one.is_satisfied_by(value) for one in ranges):
        return float(value) if any(one.is_satisfied_by(float(value)) for one in shares) else value
    return value


def check(cls: type[Any], params: Mapping[str, Any], field: str) -> None:
    """Judge values by scikit-learn's own constraints; raises Failure."""
    checked = {name: rule for name, rule in _constraints(cls).items() if name in params}
    try:
        validate_parameter_constraints(checked, dict(params), caller_name=cls.__name__)
    except InvalidParameterError as error:
        raise Failure("ParameterInvalid", f"{field}.params: {error}") from None


def _constraints(cls: type[Any]) -> Mapping[str, Any]:
    found: Mapping[str, Any] = getattr(cls, "_parameter_constraints", {})
    return found
