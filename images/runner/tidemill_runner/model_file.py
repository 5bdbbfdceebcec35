"""The fitted pipeline as files: saved, loaded back as the server does, and compared.

All of it is one skops file; but where the last step is XGBoost's or LightGBM's, its trees are in a
file of their own, and the skops file has the steps before it.
"""

import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import skops.io
from numpy.typing import NDArray
from sklearn.pipeline import Pipeline
from skops.io.exceptions import UnsupportedTypeException

from tidemill.store import boosted, package, trees, trusted
from tidemill.store.errors import PackageError
from tidemill_runner import canonical
from tidemill_runner.failures import Failure
from tidemill_runner.user_code.kept_onnx import KeptOnnx
from tidemill_runner.user_code.kept_trees import KeptTrees


def library(pipeline: Pipeline) -> str | None:
    """Name the library whose trees the last step has, if it has any."""
    last = pipeline.steps[-1][1]
    # Trees that were fitted elsewhere say it themselves.
    return getattr(last, "library", None) or boosted.library_of(type(last))


def write(pipeline: Pipeline, folder: Path) -> None:
    """Save a fitted pipeline; raises Failure where it cannot be."""
    saved, last = pipeline, pipeline.steps[-1][1]
    if isinstance(last, KeptOnnx):
        last.write(folder)
        return
    if name := library(pipeline):
        if isinstance(last, KeptTrees):
            last.write(folder, boosted.FILES[name])
        else:
            trees.save(last, folder)
        saved = Pipeline(pipeline.steps[:-1] or [("none", "passthrough")])
    raw = folder / "raw.skops"
    try:
        skops.io.dump(saved, raw, compression=zipfile.ZIP_STORED)
        canonical.rewrite(raw, folder / package.MODEL)
    except (UnsupportedTypeException, TypeError, ValueError, AttributeError) as error:
        raise _unpackable(pipeline, f"cannot be saved: {error}") from None
    finally:
        raw.unlink(missing_ok=True)


def prove(pipeline: Pipeline, folder: Path, sample: NDArray[Any]) -> None:
    """Load the files as the server will and compare answers, bit by bit; raises Failure."""
    last = pipeline.steps[-1][1]
    if isinstance(last, KeptOnnx):
        return  # it was loaded from that very file
    try:
        loaded: Any = trusted.load(folder / package.MODEL)
    except (trusted.ModelRefused, PackageError) as error:
        raise _unpackable(pipeline, f"does not load: {error}") from None
    rows = sample
    if name := library(pipeline):
        rows = loaded.transform(sample)
        classes = pipeline.classes_.tolist() if hasattr(pipeline, "classes_") else None
        loaded = trees.load(folder / boosted.FILES[name], classes)
    for method in ("predict", "predict_proba"):
        if hasattr(pipeline, method):
            before = np.asarray(getattr(pipeline, method)(sample))
            after = np.asarray(getattr(loaded, method)(rows))
            if before.shape != after.shape or not (before == after).all():
                raise _unpackable(pipeline, f"answers otherwise when loaded ({method})")


def _unpackable(pipeline: Pipeline, detail: str) -> Failure:
    steps = " and ".join(type(step).__name__ for _, step in pipeline.steps)
    return Failure(
        "ModelNotPackable",
        f"the fitted {steps} {detail}: models are kept in skops' format without code; "
        "use other classes or leave out the parameters that need more",
    )
