"""The trees of XGBoost and LightGBM: one file, and how it is asked.

Both libraries promise to read what their earlier releases wrote, and give the same numbers to the
last bit. Neither proves what it reads: a file that is not ours is loaded in a child process first.
The runner saves and proves with this module, and the server answers with it, so that there is one
way from a file to a prediction.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tidemill.store.boosted import FILES, library_of

_THREADS = re.compile(r"^\[num_threads: \d+\]$", re.MULTILINE)


def save(estimator: Any, folder: Path) -> Path:  # noqa: ANN401
    """Write the trees of a fitted estimator; the file that has them."""
    library = getattr(estimator, "library", None) or library_of(type(estimator))
    if library is None:
        raise ValueError(f"{type(estimator).__name__} is of neither library")
    path = folder / FILES[library]
    if library == "xgboost":
        estimator.get_booster().save_model(path)
    else:
        text = estimator.booster_.model_to_string()
        # How many threads have fitted it is no part of the model.
        path.write_text(_THREADS.sub("[num_threads: 0]", text), encoding="utf-8")
    return path


@dataclass(frozen=True)
class Boosted:
    """Trees, and the labels of the classes in their order; none for numbers.

    Asked with a matrix of shape (rows, features), dense or sparse; the probabilities have the shape
    (rows, classes). One thread answers: a model server has as many as it is to have.
    """

    library: str
    booster: Any
    classes: NDArray[Any] | None

    def predict(self, rows: Any) -> NDArray[Any]:  # noqa: ANN401
        """Labels or numbers."""
        scores = self._scores(rows)
        if self.classes is None:
            return scores
        if self.library == "xgboost" and scores.ndim == 1:
            chosen = (scores > 0.5).astype(np.intp)
        else:
            chosen = np.argmax(_by_class(scores), axis=1)
        labels: NDArray[Any] = self.classes[chosen]
        return labels

    def predict_proba(self, rows: Any) -> NDArray[Any]:  # noqa: ANN401
        return _by_class(self._scores(rows))

    def _scores(self, rows: Any) -> NDArray[Any]:  # noqa: ANN401
        if self.library == "xgboost":
            found: NDArray[Any] = self.booster.inplace_predict(rows, validate_features=False)
        else:
            found = self.booster.predict(rows, num_threads=1)
        return found


def load(path: Path, classes: Sequence[Any] | None) -> Boosted:
    """Load a file written by `save`; raises ImportError where the library is not there."""
    library = next(name for name, file in FILES.items() if file == path.name)
    booster: Any
    if library == "xgboost":
        import xgboost  # noqa: PLC0415 - only images for boosted models have it

        booster = xgboost.Booster(model_file=path)
        booster.set_param({"nthread": 1})
    else:
        import lightgbm  # noqa: PLC0415

        booster = lightgbm.Booster(model_file=path)
    return Boosted(library, booster, None if classes is None else _labels(classes))


def _labels(classes: Sequence[Any]) -> NDArray[Any]:
    texts = any(isinstance(label, str) for label in classes)
    return np.array(classes, dtype=object if texts else None)


def _by_class(scores: NDArray[Any]) -> NDArray[Any]:
    """Of two classes the libraries give the probability of the second."""
    return np.vstack((1.0 - scores, scores)).transpose() if scores.ndim == 1 else scores
