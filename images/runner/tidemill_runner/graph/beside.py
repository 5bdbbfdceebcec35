"""ONNX beside the pipeline: made, compared, and kept where it answers alike; else why not.

Nothing here fails a run. Where there is a choice, a graph of doubles is taken, which agrees to the
last digits; but trees have thresholds of seven digits in ONNX, and are given numbers of seven.
"""

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from numpy.typing import NDArray
from sklearn.pipeline import Pipeline

from tidemill.store import onnx_file, onnx_model
from tidemill.store.errors import PackageError
from tidemill.store.onnx_model import Terms
from tidemill_runner import model_file
from tidemill_runner.columns import Roles
from tidemill_runner.graph import agreement, bounded, conversion, questions
from tidemill_runner.graph.agreement import Agreement
from tidemill_runner.graph.bounded import Bounds, NotDone, OutOfBounds
from tidemill_runner.graph.conversion import NotConverted
from tidemill_runner.graph.questions import Asked, Edges, Prober

MAX_SECONDS = 60.0
UNDONE = "it was not done within its bounds"
OFF = "spec.onnx is Never"
EDGE = "where a row lacks a value or has a text that training never saw"

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Outcome:
    """The graph's file and terms and how far it agrees; or why there is none.

    `alone`: the model came in ONNX and in nothing else.
    """

    left_out: str | None = None
    # Left out for what another run of the same need not meet: time or memory.
    volatile: bool = False
    alone: bool = False
    file: Path | None = None
    terms: Terms | None = None
    agreement: Agreement | None = None

    @property
    def there(self) -> bool:
        """Whether the package has it."""
        return self.alone or self.file is not None

    def content(self) -> dict[str, Any]:
        """As the result has it."""
        if self.alone:
            return {"alone": True}
        if self.agreement is None:
            return {"leftOut": self.left_out}
        return {"agreement": self.agreement.content(), "opset": conversion.OPSET}

    def kept(self) -> dict[str, Any]:
        """As metrics and card have it: the same for every run that has no graph for its bounds."""
        return {"leftOut": UNDONE} if self.volatile else self.content()

    def words(self) -> str:
        """The same in a sentence."""
        return words_of(self.content())


def words_of(content: Mapping[str, Any]) -> str:
    """What an outcome says, in a sentence."""
    if content.get("alone"):
        return "the model is in ONNX, and in nothing else"
    found = content.get("agreement")
    if found is None:
        return f"left out: {content['leftOut']}"
    return (
        f"kept: of {found['rows']:,} rows held out {found['flips']} labels differ, numbers by at "
        f"most {found['maxDifference']:.3g}"
    )


@dataclass(frozen=True)
class Bench:
    """What is converted, and what it is compared on."""

    pipeline: Pipeline
    roles: Roles
    trained: NDArray[Any]
    held_out: NDArray[Any]
    folder: Path
    bounds: Callable[[], Bounds] = lambda: Bounds.left(MAX_SECONDS)

    def outcome(self) -> Outcome:
        """Never raises for what the model is."""
        try:
            outcome = self._made()
        except OutOfBounds as error:
            outcome = Outcome(left_out=str(error), volatile=True)
        except (NotConverted, NotDone) as error:
            outcome = Outcome(left_out=str(error))
        except MemoryError:
            words = "it needs more memory than the run has left"
            outcome = Outcome(left_out=words, volatile=True)
        except Exception as error:
            # A pipeline that has answered all rows held out may yet raise anything at the edge.
            log.exception("no ONNX")
            outcome = Outcome(left_out=f"{type(error).__name__}: {error}"[:500])
        log.info("ONNX: %s", outcome.words())
        return outcome

    def _made(self) -> Outcome:
        if library := model_file.library(self.pipeline):
            raise NotConverted(f"the trees of {library} are kept in its own format")
        conversion.check(self.pipeline)
        asked = questions.held_out(self.pipeline, self.held_out)
        edges = Prober(self.pipeline, self.roles, self.trained).edges()
        terms = replace(
            conversion.terms(self.pipeline),
            missing=edges.missing,
            texts=edges.texts,
            tolerance=agreement.tolerance(asked),
        )
        trial = _Trial(self, asked, edges, terms)
        found = bounded.done(trial.work, self.bounds())
        if reason := found.get("leftOut"):
            raise NotConverted(reason)
        kept = found["agreement"]
        agreed = Agreement(kept["rows"], kept["flips"], kept["maxDifference"], terms.tolerance)
        terms = replace(terms, gap=found["gap"])
        return Outcome(file=self.folder / found["file"], terms=terms, agreement=agreed)


@dataclass(frozen=True)
class _Trial:
    """The part of it that is done in the child: convert, load, compare."""

    bench: Bench
    asked: Asked
    edges: Edges
    terms: Terms

    def work(self) -> dict[str, Any]:
        """The file that agrees and how far; or why none does."""
        single = self._tried(double=False)
        if single.get("trees"):
            return single
        double = self._tried(double=True)
        return double if "file" in double else single

    def _tried(self, *, double: bool) -> dict[str, Any]:
        try:
            return self._compared(double=double)
        except Exception as error:  # skl2onnx and what it calls may raise anything
            if bounded.is_memory(error):
                raise
            if isinstance(error, NotConverted | ValueError | PackageError):
                return {"leftOut": str(error)[:500]}
            return {"leftOut": conversion.explained(error)}

    def _compared(self, *, double: bool) -> dict[str, Any]:
        bench = self.bench
        data = conversion.convert(bench.pipeline, bench.roles, double=double)
        path = bench.folder / f"{'double' if double else 'single'}.onnx"
        path.write_bytes(data)
        onnx_file.check(path)
        trees, found = conversion.has_trees(data), {}
        # Encoders know what is missing by the name of NaN, imputers by an empty text.
        gaps = ("", "nan") if bench.roles.has_text else ("",)
        for gap in gaps:
            found = self._agreed(path, replace(self.terms, gap=gap))
            if "agreement" in found:
                return {"file": path.name, "gap": gap, "trees": trees, **found}
        return {"trees": trees, **found}

    def _agreed(self, path: Path, terms: Terms) -> dict[str, Any]:
        bench = self.bench
        classes = bench.pipeline.classes_.tolist() if terms.predict == "label" else None
        names = [column.name for column in bench.roles.features]
        model = onnx_model.load(path, names, terms, classes)
        try:
            found = agreement.compare(model, self.asked, terms.tolerance)
            if not found.holds:
                return {"leftOut": found.words()}
            if self.edges.asked is not None:
                edge = agreement.compare(model, self.edges.asked, terms.tolerance)
                if not edge.holds:
                    return {"leftOut": f"{EDGE}: {edge.words()}"}
        except ValueError as error:
            if bounded.is_memory(error):
                raise
            return {"leftOut": str(error)[: conversion.MAX_REASON_CHARS]}
        return {"agreement": found.content()}
