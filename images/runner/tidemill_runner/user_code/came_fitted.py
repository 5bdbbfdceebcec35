"""What a model that came fitted has of an estimator, so that a pipeline takes it for a step."""

from typing import Any

from sklearn.base import BaseEstimator


class CameFitted(BaseEstimator):  # type: ignore[misc]
    """Knows what it is, and is never fitted. `_estimator_type` and `_maker` are its own."""

    @property
    def _maker(self) -> str:
        raise NotImplementedError

    @property
    def _estimator_type(self) -> str:
        raise NotImplementedError

    @property
    def title(self) -> str:
        """What it is, for people."""
        return f"{self._maker} {self._estimator_type}"

    def fit(self, *_: object) -> Any:  # noqa: ANN401 - never: scikit-learn asks whether it is there
        raise TypeError(f"this {self.title} comes fitted")

    def __sklearn_is_fitted__(self) -> bool:
        return True

    def __sklearn_tags__(self) -> Any:  # noqa: ANN401 - scikit-learn's own
        tags = super().__sklearn_tags__()
        tags.estimator_type = self._estimator_type
        return tags
