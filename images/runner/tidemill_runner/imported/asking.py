"""The first question to a model that is not ours: two rows of zeros, in a process of its own.

Loading proves little: what a malformed model reads outside of itself it often reads when it is
asked. It may refuse the rows; it may not end the process, which is seen from outside.
"""

import logging
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

log = logging.getLogger(__name__)

ROWS = 2
_KINDS = {
    "tensor(float)": np.float32,
    "tensor(double)": np.float64,
    "tensor(int64)": np.int64,
    "tensor(bool)": np.bool_,
    "tensor(string)": np.object_,
}
MAX_WIDTH = 100_000


def ask(model: Any, width: int | None = None) -> None:  # noqa: ANN401 - any model
    """Ask all that it answers; `width` is the number of its features, where it says none itself.

    Raises MemoryError. Any other refusal is no fault: what it says to the data is seen later.
    """
    for name in ("predict", "predict_proba"):
        _tried(partial(_asked, model, name, width))


def ask_session(session: Any) -> None:  # noqa: ANN401 - of onnxruntime
    """The same of a graph, whose inputs say themselves what they take."""
    fed: dict[str, Any] = {}
    for one in session.get_inputs():
        shape = [ROWS, *(size if isinstance(size, int) else 1 for size in one.shape[1:])]
        kind = _KINDS.get(one.type)
        if kind is None or len(one.shape) > 2 or max(shape) > MAX_WIDTH:
            return
        fed[one.name] = np.full(shape, "" if kind is np.object_ else 0, dtype=kind)
    _tried(partial(session.run, None, fed))


def _asked(model: Any, name: str, width: int | None) -> object:  # noqa: ANN401
    return getattr(model, name)(_rows(model, width))


def _rows(model: Any, width: int | None) -> Any:  # noqa: ANN401
    count = int(model.n_features_in_ if width is None else width)
    if not 1 <= count <= MAX_WIDTH:
        raise ValueError(f"{count} features")
    return np.zeros((ROWS, count))


def _tried(question: Callable[[], object]) -> None:
    try:
        question()
    except MemoryError:
        raise
    except Exception:
        log.debug("it refuses zeros", exc_info=True)
