"""Trees of XGBoost or LightGBM that came as a file: answered by it, and packed as that file."""

import shutil
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from tidemill.store.trees import Boosted
from tidemill_runner.user_code.came_fitted import CameFitted


class KeptTrees(CameFitted):
    """The last step of a pipeline; `library` says whose trees they are."""

    def __init__(self, path: Path, trees: Boosted) -> None:
        self.path = path
        self.trees = trees

    @property
    def library(self) -> str:
        return self.trees.library

    # As the libraries' own estimators name what is written to a file.
    @property
    def booster_(self) -> Any:  # noqa: ANN401
        return self.trees.booster

    def get_booster(self) -> Any:  # noqa: ANN401
        return self.trees.booster

    @property
    def _maker(self) -> str:
        return self.library

    @property
    def _estimator_type(self) -> str:
        return "regressor" if self.trees.classes is None else "classifier"

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401
        # Only classifiers have them, by which they are known.
        trees = self.__dict__.get("trees")
        if trees is not None and trees.classes is not None:
            if name == "classes_":
                return trees.classes
            if name == "predict_proba":
                return trees.predict_proba
        raise AttributeError(name)

    def predict(self, rows: Any) -> NDArray[Any]:  # noqa: ANN401
        return self.trees.predict(rows)

    def write(self, folder: Path, name: str) -> None:
        """Put the file into a package."""
        shutil.copyfile(self.path, folder / name)
