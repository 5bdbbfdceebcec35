"""What a model's file is, by its first bytes: nothing of it is parsed, and no pickle is let by."""

from dataclasses import dataclass
from pathlib import Path

from tidemill.store import archive, onnx_file
from tidemill.store.errors import PackageError
from tidemill_runner.failures import Failure
from tidemill_runner.imported.asked import FIELD

SKOPS, XGBOOST, LIGHTGBM, ONNX = "Skops", "XGBoost", "LightGBM", "ONNX"
# As the libraries want them to be named.
NAMES = {SKOPS: "model.skops", LIGHTGBM: "model.txt", ONNX: onnx_file.FILE}
# The first field of a model in protocol buffers, its release of the format: writers begin so.
_IR_VERSION = b"\x08"
NO_PICKLE = (
    "is a pickle, which runs code when it is loaded: save the model by skops (skops.io.dump), or "
    "XGBoost's and LightGBM's by their own save_model"
)
_TAKEN = "taken are ONNX, XGBoost's .ubj and .json, LightGBM's .txt, skops files and MLflow models"


@dataclass(frozen=True)
class ModelFile:
    """A file, what it is, and what else is known of it: names of features, from a model's card."""

    path: Path
    kind: str
    # How the file is called in messages.
    called: str
    features: tuple[str, ...] | None = None


def refuse_pickle_name(name: str, called: str) -> None:
    """Raise Failure for what is a pickle by its name."""
    if archive.is_pickle_name(name):
        raise Failure("PickleRefused", f"{called} {NO_PICKLE}")


def recognised(path: Path, called: str) -> ModelFile:
    """The file under the name that its library wants; raises Failure."""
    with path.open("rb") as file:
        start = file.read(64)
    if archive.is_pickle_start(start):
        raise Failure("PickleRefused", f"{called} {NO_PICKLE}")
    if start.startswith(b"PK\x03\x04"):
        _check_archive(path, called)
        kind, name = SKOPS, NAMES[SKOPS]
    elif start.startswith(b"tree\n"):
        kind, name = LIGHTGBM, NAMES[LIGHTGBM]
    elif start.startswith(b"{"):
        # Both begin with a brace; a key of JSON is a text in quotes.
        json = start[1:].lstrip().startswith(b'"')
        kind, name = XGBOOST, "model.json" if json else "model.ubj"
    elif start.startswith(_IR_VERSION):
        kind, name = ONNX, NAMES[ONNX]
    else:
        raise Failure("EstimatorRefused", f"{called} is no model that can be imported: {_TAKEN}")
    return ModelFile(path.rename(path.with_name(name)), kind, called)


def check_format(found: ModelFile, wanted: str) -> None:
    """Raise Failure where the spec says that it is something else."""
    if wanted not in ("Auto", "MLflow", found.kind):
        raise Failure(
            "EstimatorRefused",
            f"{FIELD}.format is {wanted}, but {found.called} is {found.kind}'s: name the other "
            "file, or correct the format",
        )


def _check_archive(path: Path, called: str) -> None:
    try:
        archive.check(path)
    except PackageError as error:
        message = error.message.replace(path.name, called, 1)
        if error.reason == "PickleRefused":
            raise Failure("PickleRefused", f"{message}: it {NO_PICKLE}") from None
        raise Failure("ModelUnloadable", f"{message}: {_TAKEN}") from None


def unloadable(called: str, error: Exception) -> Failure:
    """What is said of a file that its library does not take."""
    lines = str(error).splitlines() or [type(error).__name__]
    return Failure("ModelUnloadable", f"{called} cannot be loaded: {lines[0][:500]}")
