"""Calls a user's function in the container that it runs in, and writes down what it returns.

This file is laid out beside the data and run there, in whatever image the user has named: it knows
the standard library and numpy, and beyond that only what the returned model itself needs.
"""

from __future__ import annotations

import importlib.util
import json
import os
import random
import re
import shutil
import signal
import socket
import sys
import threading
import time
import traceback
from pathlib import Path
from typing import Any

IN = Path(os.environ.get("TIDEMILL_IN", "/tidemill/in"))
OUT = Path(os.environ.get("TIDEMILL_OUT", "/tidemill/out"))
CHECKPOINT = Path(os.environ.get("TIDEMILL_CHECKPOINT", "/tidemill/checkpoint"))
THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "LOKY_MAX_CPU_COUNT")
ONNX = "model.onnx"
LIBRARIES = {"xgboost": "model.ubj", "lightgbm": "model.txt"}
ONE_OF_MANY = re.compile(r"^\[num_threads: \d+\]$", re.MULTILINE)
PAUSE = 0.5
MOST_NAMES, MOST_VALUES = 64, 1000
# Ended from outside, as by SIGTERM: worth another try.
AGAIN = 143
# What is raised where another rank does not answer any more; of PyTorch's by name.
LOST = (ConnectionError, EOFError, TimeoutError, socket.gaierror)
LOST_BY_NAME = {"DistNetworkError", "DistBackendError", "DistStoreError"}
# What PyTorch's gloo and older stores say in a RuntimeError that has no name of its own.
LOST_BY_WORDS = re.compile(
    r"Connection closed by peer|Connection reset by peer|Socket Timeout|Broken pipe"
    r"|/gloo/.*(Timed out|timeout|Connection refused)"
)


class WrongScript(Exception):  # noqa: N818 - says what is wrong with it
    """What the script is or returned cannot be taken."""


class Data:
    """The rows to train on.

    `features` is the matrix that the model will be asked with: floats, or objects where there are
    texts, with NaN for what is missing. `weights` and `groups` are None where the run has none.
    """

    def __init__(self, told: dict[str, Any]) -> None:
        self.names = [str(column["name"]) for column in told["features"]]
        self.types = [str(column["type"]) for column in told["features"]]
        self.features = self._matrix(told)
        self.target = self._target()
        self.weights = _array("weights.npy")
        self.groups = _array("groups.npy")

    def frame(self) -> Any:  # noqa: ANN401 - a pandas DataFrame, where the image has pandas
        """The features as a DataFrame, to look at; the model is asked with the matrix."""
        import pandas as pd  # type: ignore[import-untyped,unused-ignore]  # noqa: PLC0415

        return pd.DataFrame(self.features, columns=self.names)

    def _matrix(self, told: dict[str, Any]) -> Any:  # noqa: ANN401
        import numpy as np  # noqa: PLC0415 - it reads the number of threads when it is imported

        numbers = _array("numbers.npy")
        texts = [place for place, kind in enumerate(self.types) if kind == "String"]
        if not texts:
            return numbers
        matrix = np.empty((told["rows"], len(self.names)), dtype=object)
        matrix[:, [place for place in range(len(self.names)) if place not in texts]] = numbers
        for place in texts:
            values = _read(f"text-{place}.json")
            matrix[:, place] = [float("nan") if value is None else value for value in values]
        return matrix

    def _target(self) -> Any:  # noqa: ANN401
        import numpy as np  # noqa: PLC0415

        found = _array("target.npy")
        return np.array(_read("target.json"), dtype=object) if found is None else found


class Context:
    """What a script may know of its run, and say of it."""

    def __init__(self, told: dict[str, Any], out: Path) -> None:
        self.seed = int(told["seed"])
        self.threads = int(told["threads"])
        self.checkpoint = CHECKPOINT
        self.rank = int(os.environ.get("RANK", "0"))
        self.world_size = int(os.environ.get("WORLD_SIZE", "1"))
        self.addresses = _addresses()
        self._out = out
        self._said = ""
        self._logged: dict[str, list[float]] = {}
        self._changed = threading.Event()
        threading.Thread(target=self._write, name="progress", daemon=True).start()

    def progress(self, percent: float, message: str = "", metric: Any = None) -> None:  # noqa: ANN401
        """Say how far it is; `metric` is a pair such as ("auc", 0.91). Returns at once."""
        words = [f"progress={float(percent):g}"]
        if metric is not None:
            name, value = metric
            words.append(f"metric={''.join(str(name).split())}:{float(value):g}")
        if message:
            words.append(f"message={' '.join(str(message).split())}")
        self._said = " ".join(words)
        self._changed.set()

    def log(self, name: str, value: float) -> None:
        """Keep a number beside the others of its name: result and report have them."""
        if name in self._logged or len(self._logged) < MOST_NAMES:
            values = self._logged.setdefault(str(name)[:64], [])
            values.append(float(value))
            if len(values) > MOST_VALUES:
                del values[1::2]  # every second one, as often as need be

    def close(self) -> None:
        """Write what was said last, and what was logged."""
        if self._said:
            _write(self._out / "progress", f"{self._said}\n".encode())
        finite = {
            name: [value for value in values if value - value == 0.0]
            for name, values in self._logged.items()
        }
        _write(self._out / "logged.json", json.dumps(finite).encode())

    def _write(self) -> None:
        while True:
            self._changed.wait()
            self._changed.clear()
            _write(self._out / "progress", f"{self._said}\n".encode())
            time.sleep(PAUSE)


def main() -> int:
    told, call = _read("columns.json"), _read("call.json")
    for name in THREADS:
        os.environ.setdefault(name, str(told["threads"]))
    random.seed(told["seed"])
    try:
        import numpy as np  # noqa: PLC0415 - after the number of threads is set
    except ImportError:
        return _end("the image has no numpy, which a script is given its data with: add it")
    np.random.seed(told["seed"])
    file = IN / "code" / call["file"]
    context = Context(told, OUT)
    try:
        function = _function(file, call["function"])
        model = function(Data(told), _read("params.json"), context)
        if context.rank == 0:
            _save(model, call["function"])
    except WrongScript as error:
        return _end(str(error))
    except SystemExit as error:
        return _end(f"{file.name} called sys.exit({error.code!r}): let it return its model")
    except BaseException as error:
        words = _told(error, file)
        if context.world_size > 1 and _lost_another(error):
            return _end(f"rank {context.rank} lost another: {words}", AGAIN)
        return _end(words)
    finally:
        context.close()
    return 0


def _function(file: Path, name: str) -> Any:  # noqa: ANN401
    # A script may be called numpy.py: it is not what others import by that name.
    spec = importlib.util.spec_from_file_location(f"script_{file.stem}", file)
    if spec is None or spec.loader is None:
        raise WrongScript(f"{file.name} is not taken as Python: name it so that it ends with .py")
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    function = getattr(module, name, None)
    if not callable(function):
        there = [n for n, value in vars(module).items() if callable(value) and n[0] != "_"]
        has = f"; it has {', '.join(sorted(there)[:8])}" if there else ""
        raise WrongScript(
            f"{file.name} has no function {name}{has}: define it, or name another in "
            "spec.estimator.script.function"
        )
    return function


def _save(model: Any, function: str) -> None:  # noqa: ANN401
    if hasattr(model, "SerializeToString"):
        model = model.SerializeToString()
    if isinstance(model, (bytes, bytearray)):
        _write(OUT / ONNX, bytes(model))
        return
    if isinstance(model, (str, Path)):
        path = Path(model)
        if not path.is_file():
            raise WrongScript(f"{function} returned the path {model}, where there is no file")
        if path.resolve() != (OUT / ONNX).resolve():
            shutil.copyfile(path, OUT / ONNX)
        return
    try:
        from sklearn.base import BaseEstimator  # noqa: PLC0415
        from sklearn.exceptions import NotFittedError  # noqa: PLC0415
        from sklearn.pipeline import Pipeline  # noqa: PLC0415
        from sklearn.utils.validation import check_is_fitted  # noqa: PLC0415
    except ImportError:
        raise WrongScript("the image has no scikit-learn, by which a model is returned") from None
    if not isinstance(model, BaseEstimator):
        what = f"the class {model.__name__}" if isinstance(model, type) else _named(type(model))
        raise WrongScript(
            f"{function} returned {what}: return a fitted scikit-learn estimator or Pipeline, the "
            "last step of which may be XGBoost's or LightGBM's, or ONNX as bytes or a path"
        )
    try:
        check_is_fitted(model)
    except NotFittedError:
        name = type(model).__name__
        raise WrongScript(f"{function} returned a {name} that is not fitted: fit it") from None
    steps = list(model.steps) if isinstance(model, Pipeline) else [("model", model)]
    library = _library(steps[-1][1])
    if library:
        _save_trees(steps[-1][1], library)
        steps = steps[:-1] or [("none", "passthrough")]
    _dump(Pipeline(steps))


def _library(estimator: Any) -> str | None:  # noqa: ANN401
    names = [one.__module__.partition(".")[0] for one in type(estimator).__mro__]
    return next((name for name in names if name in LIBRARIES), None)


def _save_trees(estimator: Any, library: str) -> None:  # noqa: ANN401
    path = OUT / LIBRARIES[library]
    if library == "xgboost":
        estimator.get_booster().save_model(path)
    else:
        text = estimator.booster_.model_to_string()
        # How many threads have fitted it is no part of the model.
        path.write_text(ONE_OF_MANY.sub("[num_threads: 0]", text), encoding="utf-8")
    classes = getattr(estimator, "classes_", None)
    told = {"library": library, "classes": None if classes is None else classes.tolist()}
    _write(OUT / "trees.json", json.dumps(told).encode())


def _dump(pipeline: Any) -> None:  # noqa: ANN401
    try:
        import skops.io  # noqa: PLC0415
    except ImportError:
        words = "the image has no skops, in whose format models are kept: add it"
        raise WrongScript(words) from None
    try:
        skops.io.dump(pipeline, OUT / "model.skops")
    except Exception as error:
        words = " ".join(str(error).split())[:300]
        raise WrongScript(
            f"the model cannot be kept without code ({type(error).__name__}: {words}): use other "
            "classes, and no functions of your own as their parameters"
        ) from None


def _named(kind: type) -> str:
    name = kind.__name__
    return "nothing (None)" if name == "NoneType" else f"a value of type {name}"


def _told(error: BaseException, file: Path) -> str:
    """The error with the script's own line, after a trace without ours."""
    if isinstance(error, SyntaxError) and error.filename == str(file):
        return f"{file.name}, line {error.lineno}: {type(error).__name__}: {error.msg}"
    frames = traceback.extract_tb(error.__traceback__)
    own = [place for place, frame in enumerate(frames) if frame.filename == str(file)]
    shown = frames[own[0] :] if own else frames
    sys.stderr.write("".join(traceback.format_list(shown)))
    words = f"{type(error).__name__}: {error}"
    if not own:
        return words
    last = frames[own[-1]]
    return f"{file.name}, line {last.lineno}, in {last.name}: {words}"


def _lost_another(error: BaseException) -> bool:
    """Whether a connection failed: the rank at its other end says what happened, or is replaced."""
    names = {kind.__name__ for kind in type(error).__mro__}
    if isinstance(error, LOST) or names & LOST_BY_NAME:
        return True
    return isinstance(error, RuntimeError) and bool(LOST_BY_WORDS.search(str(error)))


def _addresses() -> list[str]:
    """The names of all ranks, in their order."""
    hosts = IN / "hosts"
    if not hosts.exists():
        return ["localhost"]
    return [line.split()[0] for line in hosts.read_text(encoding="ascii").splitlines()]


def _end(words: str, code: int = 1) -> int:
    sys.stdout.flush()
    sys.stderr.write(f"{words}\n")
    return code


def _array(name: str) -> Any:  # noqa: ANN401
    import numpy as np  # noqa: PLC0415

    path = IN / name
    return np.load(path, allow_pickle=False) if path.exists() else None


def _read(name: str) -> Any:  # noqa: ANN401
    return json.loads((IN / name).read_text(encoding="utf-8"))


def _write(path: Path, data: bytes) -> None:
    """All of it or nothing, for whoever reads it meanwhile."""
    part = path.with_name(f".{path.name}-{threading.get_ident()}")
    part.write_bytes(data)
    part.replace(path)


def _ended_by_signals() -> int:
    """Run in a child, and pass signals on: to the first process of a container they do nothing."""
    child = os.fork()
    if not child:
        return main()
    signal.signal(signal.SIGTERM, lambda number, _: os.kill(child, number))
    while True:
        ended, status = os.wait()
        if ended == child:
            code = os.waitstatus_to_exitcode(status)
            return code if code >= 0 else 128 - code


if __name__ == "__main__":
    sys.exit(_ended_by_signals())
