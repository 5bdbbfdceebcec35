"""The model that a user's code has left, taken as what anybody may have written.

It has ended by then and its folder is mounted to be read only, so nothing changes while it is
looked at. Files are known by their names; a model is loaded by the fixed list of types, first in a
process of its own, which a malformed file may end.
"""

import json
import os
import stat
import subprocess
import sys
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, is_classifier, is_regressor
from sklearn.exceptions import InconsistentVersionWarning
from sklearn.pipeline import Pipeline

from tidemill.store import boosted, loading, onnx_file, package, trees, trusted
from tidemill.store.errors import PackageError
from tidemill.store.structure import BrokenModel, check_structure
from tidemill_runner.evaluate import distinct
from tidemill_runner.failures import Failure
from tidemill_runner.material import Material
from tidemill_runner.train_input import Training
from tidemill_runner.user_code import kept_onnx
from tidemill_runner.user_code.code import SCRIPT, Code
from tidemill_runner.user_code.complaint import failed
from tidemill_runner.user_code.kept_onnx import KeptOnnx
from tidemill_runner.user_code.kept_trees import KeptTrees

TREES, LOGGED, ONNX_TOLD = "trees.json", "logged.json", "onnx.json"
METRICS = "metrics.json"
ONNX_TERMS = ("predict", "predict_proba", "missing", "texts", "tolerance")
MAX_TOLERANCE = 1e-2
MAX_TOLD = 4 * 1024 * 1024
TRIAL_SECONDS = 600
MOST_NAMES, MOST_VALUES, MOST_CHARS = 64, 1000, 64
HUGE = 1e300
SHOWN = 8


@dataclass(frozen=True)
class Taken:
    """The folder that the code wrote to; `code` is whose it is."""

    folder: Path
    code: Code

    def model(self, training: Training, material: Material) -> Pipeline:
        """Load the model and judge whether it is one for this task; raises Failure."""
        skops = self._file(package.MODEL, package.MAX_MODEL_BYTES)
        onnx = self._file(package.ONNX, onnx_file.MAX_BYTES)
        if skops and onnx:
            both = f"{package.MODEL} and {package.ONNX}"
            raise failed(self.code, f"it wrote {both}: let it write the one that is meant")
        if onnx:
            pipeline = Pipeline([("model", self._onnx(onnx, training, material))])
        elif skops:
            pipeline = self._skops(skops)
        else:
            raise failed(self.code, f"it ended well and wrote no model: {self._way_out()}")
        try:
            self._check(pipeline, training, material)
        except (TypeError, ValueError, AttributeError, IndexError) as error:
            # Parts of known classes may be put together as no class would do it.
            words = " ".join(f"{type(error).__name__}: {error}".split())[:300]
            raise failed(self.code, f"its model is broken ({words})") from None
        return pipeline

    def logged(self) -> dict[str, list[float]]:
        """The numbers that it has logged, and those of its own measuring; raises Failure.

        What a script has logged and is no number is left out.
        """
        found = self._json(LOGGED)
        names = list(found)[:MOST_NAMES] if isinstance(found, Mapping) else []
        numbers = {name[:MOST_CHARS]: _numbers(found[name]) for name in names if name.isprintable()}
        return {name: values for name, values in numbers.items() if values} | self._own_metrics()

    def _own_metrics(self) -> dict[str, list[float]]:
        """The numbers that it has measured itself; raises Failure for what is none."""
        found = self._json(METRICS)
        if found is None:
            return {}
        if not isinstance(found, Mapping) or len(found) > MOST_NAMES:
            raise failed(self.code, f"{METRICS} is no object of at most {MOST_NAMES} numbers")
        for name, value in found.items():
            if not name.isprintable() or not 0 < len(name) <= MOST_CHARS:
                words = f"{METRICS} has a name that is not 1 to {MOST_CHARS} characters long"
                raise failed(self.code, words)
            # A comparison with NaN is false.
            if type(value) not in (int, float) or not abs(value) < HUGE:
                words = f"{METRICS}: {name} is {str(value)[:40]}, which is no finite number"
                raise failed(self.code, words)
        return {name: [float(value)] for name, value in found.items()}

    def _way_out(self) -> str:
        if self.code.kind == SCRIPT:
            return "the process was ended before its function returned"
        return f"let it write {package.ONNX} or {package.MODEL} to the folder of TIDEMILL_OUT"

    def _file(self, name: str, limit: int) -> Path | None:
        """A plain file of the folder, or None where there is none; raises Failure."""
        path = self.folder / name
        try:
            state = path.lstat()
        except FileNotFoundError:
            return None
        if not stat.S_ISREG(state.st_mode):
            raise failed(self.code, f"{name} is no plain file: write the file itself")
        if state.st_size > limit:
            raise Failure(
                "ModelNotPackable",
                f"{self.code.field}: {name} has {state.st_size:,} bytes, more than the "
                f"{limit:,} that a package may hold: make a smaller model",
            )
        return path

    def _skops(self, path: Path) -> Pipeline:
        self._trial(path)
        model = self._load(path)
        steps = [("model", model)]
        if isinstance(model, Pipeline):
            steps = [(str(name), step) for name, step in _pairs(model.steps)]
        kept = self._trees()
        if kept is not None:
            own = [step for step in steps if step[1] not in (None, "passthrough")]
            steps = [*own, ("model", kept)]
        return Pipeline(steps)

    def _onnx(self, path: Path, training: Training, material: Material) -> KeptOnnx:
        self._trial(path)
        said = self._json(ONNX_TOLD) or {}
        if not isinstance(said, Mapping):
            raise failed(self.code, f"{ONNX_TOLD} is no object")
        classes = None
        if training.task == "Classification":
            known = distinct(material.data.target[material.parts.train])
            classes = said.get("classes") or sorted(known)
        named = {name: value for name, value in said.items() if name in ONNX_TERMS}
        self._check_terms(named, classes)
        columns = [column.name for column in material.roles.features]
        try:
            return kept_onnx.load(path, columns, classes, named)
        except ImportError:
            raise self._refused("the runner's image has no ONNX Runtime") from None
        except PackageError as error:
            raise self._refused(str(error)) from None
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            words = f"{package.ONNX} is not asked as {ONNX_TOLD} says, or by its outputs: {error}"
            raise failed(self.code, words) from None

    def _check_terms(self, named: Mapping[str, Any], classes: object) -> None:
        allowed = named.get("tolerance", 0.0)
        # A comparison with NaN is false.
        if type(allowed) not in (int, float) or not 0 <= allowed <= MAX_TOLERANCE:
            raise failed(self.code, f"{ONNX_TOLD}: tolerance is a number from 0 to {MAX_TOLERANCE}")
        if named.get("predict_proba") and not classes:
            raise failed(
                self.code, f"{ONNX_TOLD}: predict_proba is of classes, and spec.task is Regression"
            )

    def _trial(self, path: Path) -> None:
        """Load it where nothing is lost if that ends the process."""
        bounds = [str(loading.budget_bytes(0)), str(TRIAL_SECONDS)]
        command = [sys.executable, "-m", "tidemill_runner.user_code.trial", str(path), *bounds]
        try:
            ended = subprocess.run(
                command,
                capture_output=True,
                check=False,
                timeout=TRIAL_SECONDS,
                # Threads take of its bound, and it is asked two rows.
                env={**os.environ, "OMP_NUM_THREADS": "1"},
            )
        except subprocess.TimeoutExpired:
            raise self._refused(f"it is not loaded after {TRIAL_SECONDS} s") from None
        if ended.returncode < 0:
            raise self._refused(
                f"loading or asking it ends the process (signal {-ended.returncode})"
            )
        if ended.returncode:
            words = ended.stdout.decode(errors="replace").strip().splitlines()
            raise self._refused(words[-1][:500] if words else "it cannot be loaded")

    def _load(self, path: Path) -> Any:  # noqa: ANN401 - any trusted object
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("error", InconsistentVersionWarning)
                model = trusted.load(path)
            check_structure(model)
        except InconsistentVersionWarning as warning:
            raise self._refused(
                f"it was fitted with scikit-learn {warning.original_sklearn_version} and is served "
                f"with {warning.current_sklearn_version}: use an image with that release"
            ) from None
        except (trusted.ModelRefused, PackageError, BrokenModel) as error:
            raise self._refused(str(error)) from None
        return model

    def _trees(self) -> KeptTrees | None:
        told = self._json(TREES)
        if not isinstance(told, Mapping):
            return None
        library, classes = str(told.get("library")), told.get("classes")
        name = boosted.FILES.get(library)
        path = self._file(name, package.MAX_MODEL_BYTES) if name else None
        if path is None:
            raise failed(self.code, f"{TREES} names no trees that are there")
        if not (classes is None or (isinstance(classes, list) and classes)):
            raise failed(self.code, f"{TREES} has classes that are no list")
        self._trial(path)
        try:
            return KeptTrees(path, trees.load(path, classes))
        except ImportError:
            raise Failure(
                "EstimatorRefused",
                f"{self.code.field}: it made a model of {library}, which the runner's image has "
                "not: the run needs an installation with the image runner-boosting",
            ) from None

    def _check(self, pipeline: Pipeline, training: Training, material: Material) -> None:
        last = pipeline.steps[-1][1]
        name, task = type(last).__name__, training.task
        if not isinstance(last, BaseEstimator):
            raise failed(self.code, f"it made a {name}, which is no estimator")
        fits = is_classifier(last) if task == "Classification" else is_regressor(last)
        if not fits or not hasattr(last, "predict"):
            wanted = "classifier" if task == "Classification" else "regressor"
            raise failed(self.code, f"it made a {name}, spec.task {task} needs a {wanted}")
        width, given = getattr(pipeline, "n_features_in_", None), len(material.roles.features)
        if isinstance(width, int | np.integer) and int(width) != given:
            raise failed(
                self.code,
                f"its model takes {int(width)} features, the data has {given}: fit it on all of "
                "them (spec.features.exclude leaves some out)",
            )
        if task == "Classification":
            self._check_classes(getattr(pipeline, "classes_", None), material.data.target)

    def _check_classes(self, classes: NDArray[Any] | None, target: NDArray[Any]) -> None:
        known = distinct(target)
        found = [] if classes is None else np.asarray(classes).tolist()
        same = {(type(one) is str, one) for one in known}
        strange = [one for one in found if (type(one) is str, one) not in same]
        if not found or strange:
            raise failed(
                self.code,
                f"its model knows the classes {_some(found)}, the target has {_some(known)}: fit "
                "it on the target as it is given",
            )

    def _json(self, name: str) -> Any:  # noqa: ANN401 - any JSON
        path = self._file(name, MAX_TOLD)
        if path is None:
            return None
        try:
            return json.loads(path.read_bytes())
        except (ValueError, RecursionError):
            raise failed(self.code, f"{name} is no JSON") from None

    def _refused(self, why: str) -> Failure:
        return Failure(
            "ModelNotPackable",
            f"{self.code.field}: its model is not taken: {why}. Models are kept without code: use "
            "scikit-learn's own classes, and no functions as their parameters, or return ONNX",
        )


def _pairs(steps: object) -> list[tuple[Any, Any]]:
    """The steps of a pipeline, or none where they are of another form."""
    listed = steps if isinstance(steps, list) else []
    pairs = [(one[0], one[1]) for one in listed if isinstance(one, tuple) and len(one) == 2]
    return pairs or [("model", steps)]


def _numbers(values: object) -> list[float]:
    listed = values[:MOST_VALUES] if isinstance(values, list) else []
    kinds = (int, float)
    return [float(v) for v in listed if type(v) in kinds and abs(v) < HUGE]


def _some(labels: list[Any]) -> str:
    named = sorted(map(repr, labels))
    rest = f" and {len(named) - SHOWN} more" if len(named) > SHOWN else ""
    return ", ".join(named[:SHOWN]) + rest if named else "none"
