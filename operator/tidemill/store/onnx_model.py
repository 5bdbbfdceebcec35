"""A model in ONNX: how its file is asked, in runner and server alike.

It takes the matrix of a run: numbers, or objects with NaN for what is missing. A graph of one input
takes the whole of it, a graph of several a column each, in their order. Where the pipeline refused
a row with words, a graph would answer something: which columns may lack no value, and which texts
are known, therefore stands in the signature, and such rows are refused here. So is an answer that
is no number.

One thread answers: a model server has as many processes as it is to have. The operations are those
of the file, none put together: what was compared is what is asked.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tidemill.store import onnx_file
from tidemill.store.errors import PackageError, PackageReason

# What ONNX Runtime calls the types of inputs that a column can have.
_TYPES: Mapping[str, Any] = {
    "tensor(float)": np.float32,
    "tensor(double)": np.float64,
    "tensor(int64)": np.int64,
    "tensor(bool)": np.bool_,
    "tensor(string)": np.str_,
}


# By how much probabilities may differ where nothing else is said.
TOLERANCE = 1e-4


@dataclass(frozen=True)
class Terms:
    """What the signature says of a model in ONNX (`onnx` in `signature.json`).

    `predict` and `predict_proba` are names of the graph's outputs; one of them is enough for a
    classifier, whose label then is that of the largest probability. `missing` are the columns that
    may lack no value; `texts` the texts that a column may have, where others are refused. `answers`
    are what it said to the signature's examples: labels are the same wherever it is asked, numbers
    within `tolerance`. `gap` is the text that a graph is given where a text is missing.
    """

    predict: str | None
    predict_proba: str | None
    missing: tuple[str, ...] = ()
    texts: Mapping[str, frozenset[str]] = field(default_factory=dict)
    answers: Mapping[str, Any] = field(default_factory=dict)
    tolerance: float = TOLERANCE
    gap: str = ""

    @classmethod
    def of(cls, document: Mapping[str, Any]) -> "Terms":
        """Read them; raises ValueError, KeyError or TypeError."""
        named = document.get("predict"), document.get("predict_proba")
        if not any(named) or not all(isinstance(one, str | None) for one in named):
            raise ValueError(f"onnx names the outputs {named}")
        texts = {
            str(name): frozenset(map(str, known))
            for name, known in (document.get("texts") or {}).items()
        }
        return cls(
            *named,
            tuple(map(str, document.get("missing") or ())),
            texts,
            dict(document.get("answers") or {}),
            float(document.get("tolerance", TOLERANCE)),
            str(document.get("gap", "")),
        )

    def content(self) -> dict[str, Any]:
        """As it stands in `signature.json`."""
        texts = {name: sorted(known) for name, known in self.texts.items()}
        return {
            "predict": self.predict,
            "predict_proba": self.predict_proba,
            **({"missing": list(self.missing)} if self.missing else {}),
            **({"texts": texts} if texts else {}),
            **({"answers": dict(self.answers)} if self.answers else {}),
            "tolerance": self.tolerance,
            **({"gap": self.gap} if self.gap else {}),
        }


@dataclass(frozen=True)
class _Feed:
    """An input of the graph, and the columns that it takes."""

    name: str
    kind: Any
    columns: slice
    flat: bool

    def of(self, rows: NDArray[Any], gap: str) -> NDArray[Any]:
        piece = rows[:, self.columns]
        fed = _texts(piece, gap) if self.kind is np.str_ else _numbers(piece, self.kind)
        return fed[:, 0] if self.flat else fed


class OnnxModel:
    """Asked with a matrix of shape (rows, features); raises ValueError for rows it cannot take."""

    def __init__(
        self,
        session: Any,  # noqa: ANN401 - of onnxruntime, which is not imported to be named
        columns: Sequence[str],
        terms: Terms,
        classes: Sequence[Any] | None,
    ) -> None:
        self._session = session
        self._feeds = _feeds(session, len(columns))
        self._terms = terms
        self._labels = None if classes is None else _labels(classes)
        places = {name: place for place, name in enumerate(columns)}
        self._missing = terms.missing
        self._places = [places[name] for name in terms.missing]
        self._texts = [(places[name], name, texts) for name, texts in terms.texts.items()]
        named = {output.name for output in session.get_outputs()}
        for name in filter(None, (terms.predict, terms.predict_proba)):
            if name not in named:
                raise ValueError(f"it has no output {name!r}; there are {sorted(named)[:10]}")

    @property
    def width(self) -> int:
        """How many columns it takes."""
        return int(self._feeds[-1].columns.stop)

    @property
    def inputs(self) -> tuple[str, ...]:
        """The names of its inputs."""
        return tuple(feed.name for feed in self._feeds)

    def answer(self, rows: NDArray[Any], wanted: Iterable[str]) -> dict[str, NDArray[Any]]:
        """The outputs wanted (`predict`, `predict_proba`), of one run of the graph."""
        self._check(rows)
        wanted = tuple(wanted)
        terms = self._terms
        asked: list[str] = []
        if terms.predict and "predict" in wanted:
            asked.append(terms.predict)
        if terms.predict_proba and ("predict_proba" in wanted or not terms.predict):
            asked.append(terms.predict_proba)
        found = dict(zip(asked, self._run(asked, rows), strict=True))
        answers: dict[str, NDArray[Any]] = {}
        if "predict_proba" in wanted:
            answers["predict_proba"] = _probabilities(found[terms.predict_proba or ""])
        if "predict" in wanted:
            answers["predict"] = self._predicted(found)
        return answers

    def predict(self, rows: NDArray[Any]) -> NDArray[Any]:
        """Labels or numbers."""
        return self.answer(rows, ("predict",))["predict"]

    def _predicted(self, found: Mapping[str, NDArray[Any]]) -> NDArray[Any]:
        terms = self._terms
        if terms.predict:
            flat = found[terms.predict].reshape(len(found[terms.predict]), -1)[:, 0]
            if self._labels is None:
                return _finite(flat.astype(np.float64))
            labels_of = flat.astype(self._labels.dtype)
            if (labels_of != flat).any():
                raise ValueError("the model gives labels that are none of its classes")
            return labels_of
        if self._labels is None:
            raise ValueError("it gives probabilities, and its signature names no classes")
        chosen = np.argmax(_probabilities(found[terms.predict_proba or ""]), axis=1)
        labels: NDArray[Any] = self._labels[chosen]
        return labels

    def _run(self, outputs: list[str], rows: NDArray[Any]) -> list[NDArray[Any]]:
        fed = {feed.name: feed.of(rows, self._terms.gap) for feed in self._feeds}
        try:
            found: list[NDArray[Any]] = self._session.run(outputs, fed)
        except Exception as error:
            # Its exceptions share no class that could be named.
            raise ValueError(f"ONNX Runtime: {_first_line(error)}") from None
        return found

    def _check(self, rows: NDArray[Any]) -> None:
        if self._missing:
            kept = rows[:, self._places]
            # NaN alone differs from itself, also among objects.
            lacking = (kept != kept).any(axis=0)  # noqa: PLR0124
            if lacking.any():
                name = self._missing[int(lacking.argmax())]
                raise ValueError(f"column {name!r} has no value: the model takes none that lacks")
        for place, name, known in self._texts:
            for text in rows[:, place].tolist():
                if isinstance(text, str) and text not in known:
                    raise ValueError(f"column {name!r}: the model does not know {text[:100]!r}")


class OnnxClassifier(OnnxModel):
    """One that gives labels."""

    @property
    def classes_(self) -> NDArray[Any]:
        """The labels, as scikit-learn names them."""
        if self._labels is None:
            raise AttributeError("classes_")
        return self._labels


class OnnxProbabilities(OnnxClassifier):
    """One that gives probabilities as well."""

    def predict_proba(self, rows: NDArray[Any]) -> NDArray[Any]:
        """Of shape (rows, classes)."""
        return self.answer(rows, ("predict_proba",))["predict_proba"]


def load(
    path: Path, columns: Sequence[str], terms: Terms, classes: Sequence[Any] | None
) -> OnnxModel:
    """Check the file and load it; raises PackageError, or ImportError without ONNX Runtime.

    The file may be hostile within the bounds of `onnx_file`: load what is not yours in a child
    process first.
    """
    onnx_file.check(path)
    session = open_session(path)
    kind = OnnxModel
    if classes is not None:
        kind = OnnxProbabilities if terms.predict_proba else OnnxClassifier
    try:
        return kind(session, columns, terms, classes)
    except (ValueError, KeyError) as error:
        raise _refused(str(error)) from None


def open_session(path: Path) -> Any:  # noqa: ANN401
    """A session of ONNX Runtime on one thread; raises PackageError."""
    import onnxruntime as ort  # noqa: PLC0415 - the operator has it not

    options = ort.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_ENABLE_BASIC
    options.log_severity_level = 4
    # It would keep the memory of the largest batch for ever.
    options.enable_cpu_mem_arena = False
    try:
        return ort.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    except Exception as error:
        raise _refused(f"ONNX Runtime: {_first_line(error)}") from None


def _feeds(session: Any, width: int) -> tuple[_Feed, ...]:  # noqa: ANN401
    inputs = session.get_inputs()
    feeds = []
    for place, one in enumerate(inputs):
        shape = list(one.shape)
        columns = (
            slice(0, width) if len(inputs) == 1 and len(shape) == 2 else slice(place, place + 1)
        )
        kind = _TYPES.get(one.type)
        if kind is None or len(shape) not in (1, 2):
            raise ValueError(f"its input {one.name!r} is a {one.type} of shape {shape}")
        count = columns.stop - columns.start
        if len(shape) == 2 and isinstance(shape[1], int) and shape[1] != count:
            raise ValueError(f"its input {one.name!r} takes {shape[1]} columns, not {count}")
        feeds.append(_Feed(one.name, kind, columns, len(shape) == 1))
    if feeds[-1].columns.stop != width:
        raise ValueError(f"it takes {len(feeds)} columns, its signature names {width}")
    return tuple(feeds)


def _texts(piece: NDArray[Any], gap: str) -> NDArray[Any]:
    """A graph has no missing texts: it is given one that stands for them."""
    if gap and (piece == gap).any():
        raise ValueError(f"the model cannot tell the text {gap!r} from a missing one")
    return np.where(piece != piece, gap, piece).astype(object)  # noqa: PLR0124


def _numbers(piece: NDArray[Any], kind: Any) -> NDArray[Any]:  # noqa: ANN401
    numbers = piece.astype(np.float64, copy=False)
    if np.isinf(numbers).any():
        raise ValueError("the model takes no infinite numbers")
    if kind is np.float64:
        return np.ascontiguousarray(numbers)
    with np.errstate(over="ignore", invalid="ignore"):
        fed: NDArray[Any] = np.ascontiguousarray(numbers.astype(kind))
    lost = np.isinf(fed) & np.isfinite(numbers) if kind is np.float32 else fed != numbers
    if lost.any():
        value = numbers[lost].flat[0]
        raise ValueError(f"the model cannot take {value:g}: its numbers are {np.dtype(kind).name}")
    return fed


def _labels(classes: Sequence[Any]) -> NDArray[Any]:
    texts = any(isinstance(label, str) for label in classes)
    return np.array(classes, dtype=object if texts else None)


def _probabilities(found: NDArray[Any]) -> NDArray[np.float64]:
    table = found.reshape(len(found), -1).astype(np.float64)
    # Some graphs give that of the second class alone.
    return _finite(np.hstack((1.0 - table, table)) if table.shape[1] == 1 else table)


def _finite(found: NDArray[np.float64]) -> NDArray[np.float64]:
    if not np.isfinite(found).all():
        raise ValueError("the model gives no number for a row: it lacks a value, or has a wild one")
    return found


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:500]


def _refused(message: str) -> PackageError:
    return PackageError(PackageReason.MALFORMED_PACKAGE, f"{onnx_file.FILE} is refused: {message}")
