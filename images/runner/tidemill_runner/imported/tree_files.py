"""Files of XGBoost and LightGBM that were written elsewhere: what they predict, and from what.

Taken are trees whose answers can be given as ours are: probabilities of classes, or one number,
from numbers. What else these libraries can do is refused by name: it would be answered otherwise.
"""

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tidemill_runner.failures import Failure
from tidemill_runner.imported import structure, ubjson

_CLASSIFY = {
    "xgboost": ("binary:logistic", "multi:softprob"),
    "lightgbm": ("binary", "multiclass", "multiclassova"),
}
_NUMBER = {
    "xgboost": re.compile(r"reg:.+|count:poisson"),
    "lightgbm": re.compile(
        r"regression(_l1)?|huber|fair|poisson|quantile|mape|gamma|tweedie|regression_l2"
    ),
}
# By the names that a package has for them.
KINDS = {"model.ubj": "XGBoost", "model.txt": "LightGBM"}
_UNNAMED = re.compile(r"Column_\d+")


@dataclass(frozen=True)
class Facts:
    """What a file says of itself; `classes` is 0 or 1 where there are two or none."""

    library: str
    objective: str
    classes: int
    width: int
    refused: str = ""

    def check(self, task: str, called: str) -> None:
        """Raise Failure where it does not do the task, or does it as nothing here can."""
        if self.refused:
            raise Failure("EstimatorRefused", f"{called} {self.refused}")
        fitting = _CLASSIFY[self.library]
        classifies = self.objective in fitting
        if task == "Classification" and not classifies:
            raise Failure(
                "EstimatorRefused",
                f"{called} has the objective {self.objective!r}, which gives no probabilities of "
                f"classes: imported for Classification are {', '.join(fitting)}",
            )
        if task == "Regression" and not _NUMBER[self.library].fullmatch(self.objective):
            what = "tells classes: use spec.task Classification" if classifies else "is not known"
            raise Failure(
                "EstimatorRefused", f"{called} has the objective {self.objective!r}, which {what}"
            )


def read(path: Path, kind: str) -> tuple[Facts, Any]:
    """The facts and the booster, one thread each; raises ValueError and what the library does."""
    return _xgboost(path) if kind == "XGBoost" else _lightgbm(path)


def proved(path: Path) -> Facts:
    """The facts of a file that has the name of a package's trees; raises what `read` does."""
    facts, _ = read(path, KINDS[path.name])
    if facts.refused:
        raise ValueError(f"it {facts.refused}")
    return facts


def features(booster: Any, library: str) -> tuple[str, ...] | None:  # noqa: ANN401
    """The names of the features, where they were given any."""
    if library == "xgboost":
        return tuple(booster.feature_names) if booster.feature_names else None
    names = tuple(booster.feature_name())
    return None if all(_UNNAMED.fullmatch(name) for name in names) else names


def _xgboost(path: Path) -> tuple[Facts, Any]:
    import xgboost  # noqa: PLC0415 - only images for boosted models have it

    if path.suffix == ".ubj":
        ubjson.check(path)
    booster = xgboost.Booster(model_file=path)
    booster.set_param({"nthread": 1})
    learner = json.loads(booster.save_config())["learner"]
    shape = learner["learner_model_param"]
    refused = ""
    if learner["gradient_booster"]["name"] == "gblinear":
        refused = "is linear (booster: gblinear): only trees are kept"
    elif "c" in (booster.feature_types or ()):
        refused = "splits by categories: encode them before it and fit it again"
    elif int(shape.get("num_target") or 1) > 1:
        refused = "predicts several targets, and spec.target is one"
    if not refused:
        structure.of_xgboost(bytes(booster.save_raw("json")), int(booster.num_features())).check()
    best = booster.attr("best_iteration")
    if best is not None and not refused:
        # What its estimator answers with; the trees after that one are left out.
        booster = booster[: int(best) + 1]
        booster.set_param({"nthread": 1})
    found = Facts(
        "xgboost",
        learner["objective"]["name"],
        int(shape["num_class"]),
        int(booster.num_features()),
        refused,
    )
    return found, booster


def _lightgbm(path: Path) -> tuple[Facts, Any]:
    import lightgbm  # noqa: PLC0415

    # Before the library sees it: its own reader goes round in circles where a tree does.
    found = structure.of_lightgbm(path.read_bytes())
    found.check()
    told = found.told
    booster = lightgbm.Booster(model_file=path)
    refused = ""
    if any(booster.pandas_categorical or ()):
        refused = "splits by categories: encode them before it and fit it again"
    facts = Facts(
        "lightgbm",
        told.get("objective", "").partition(" ")[0],
        int(told["num_class"]),
        found.width,
        refused,
    )
    return facts, booster
