"""Which of a package's formats answers, and how it is loaded.

A package has ONNX beside its pipeline only where both agreed, so ONNX answers where it is there,
unless the deployment says Native. Each format's libraries are imported when it is known which one
is needed; those that take long are imported before the child is forked, by `main`.
"""

import importlib
from collections.abc import Iterable
from pathlib import Path
from typing import Protocol

import numpy as np

from tidemill.store import boosted, onnx_file, package
from tidemill.store.package import PackageReason
from tidemill_server.exits import SPEC_INVALID, Refused
from tidemill_server.formats import onnx_format
from tidemill_server.package.environment import check_environment
from tidemill_server.package.signature import Signature
from tidemill_server.settings import Runtime

METHODS = ("predict", "predict_proba")


class Model(Protocol):
    """What every format can do."""

    @property
    def width(self) -> int | None:
        """How many columns it takes, where it says so."""

    def can(self, method: str) -> bool:
        """Whether the model gives this output."""

    def predict(self, matrix: np.ndarray, wanted: Iterable[str]) -> dict[str, np.ndarray]:
        """The outputs wanted, by name; one row of each for one row of the matrix."""


def prepare(runtime: Runtime) -> None:
    """Import what takes long and will be needed, so that parent and child share it."""
    if runtime == "Onnx":
        importlib.import_module("onnxruntime")
    else:
        importlib.import_module("tidemill_server.formats.sklearn_model")
    if runtime == "Explained":
        importlib.import_module("tidemill.stats.additive")


def is_onnx(folder: Path, runtime: Runtime) -> bool:
    """Whether ONNX Runtime answers; raises Refused where nothing else could and it may not."""
    has_onnx = (folder / onnx_file.FILE).exists()
    alone = has_onnx and not (folder / package.MODEL).exists()
    if alone and runtime == "Native":
        raise Refused(
            SPEC_INVALID,
            f"the package has its model as {onnx_file.FILE} alone: set spec.runtime to Auto",
        )
    if runtime == "Explained":
        return alone
    return has_onnx and runtime != "Native"


def platform_of(folder: Path, signature: Signature, runtime: Runtime) -> str:
    """Name what answers, in the form that the protocol has for it."""
    if is_onnx(folder, runtime):
        return "onnxruntime_onnx"
    library = {file: name for name, file in boosted.FILES.items()}.get(signature.trees or "")
    return library or "scikit-learn_skops"


def open_model(folder: Path, signature: Signature, runtime: Runtime) -> Model:
    """Load the model; raises Refused, or what its libraries raise about a broken file."""
    if is_onnx(folder, runtime):
        if signature.onnx is None:
            raise Refused(
                PackageReason.MALFORMED_PACKAGE,
                f"signature.json does not say how {onnx_file.FILE} is asked (onnx)",
            )
        return onnx_format.load(folder, signature, signature.onnx)
    check_environment(folder / "environment.json")
    native = importlib.import_module("tidemill_server.formats.sklearn_model")
    boosted_model = importlib.import_module("tidemill_server.formats.boosted_model")
    trees = boosted_model.load_trees(folder, signature)
    model: Model = native.load(folder / native.MODEL_FILE, trees)
    return model
