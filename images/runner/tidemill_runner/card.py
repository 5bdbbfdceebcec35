"""The model card: what a model is, what it was made of, how good it is, where it is not.

Written as JSON for programs and, from that, as Markdown for people. Nothing in it depends on a
clock or on the name of a run: it is part of the package, whose digest follows from its content.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from tidemill_runner.fit import name_of
from tidemill_runner.graph.beside import words_of as graph_words
from tidemill_runner.judgement.findings import findings
from tidemill_runner.judgement.judge import Judged, rounded

if TYPE_CHECKING:
    from tidemill_runner.package import Trained

FORMAT = "tidemill.dev/card/v1"
MOST_FEATURES = 200


def content(trained: "Trained") -> dict[str, Any]:
    """The card as a document."""
    told: dict[str, Any] = rounded(_content(trained))
    return told


def _content(trained: "Trained") -> dict[str, Any]:
    training, dataset = trained.document.training, trained.document.dataset
    features = [column.name for column in trained.roles.features]
    judged = trained.judged
    return {
        "format": FORMAT,
        "model": {
            "estimator": name_of(trained.pipeline),
            "task": training.task,
            "target": training.target,
            "classes": [str(one) for one in trained.evaluation.classes],
            "features": features[:MOST_FEATURES],
            "featureCount": len(features),
            "steps": [
                {"name": step.name, "class": step.class_path, "params": dict(step.params)}
                for step in training.steps
            ],
            **({"code": training.code.facts(trained.code.get("digest"))} if training.code else {}),
        },
        "data": {
            "dataset": dataset.name,
            "version": dataset.version,
            "join": [
                {
                    "dataset": one.table.dataset.name,
                    "version": one.table.dataset.version,
                    "columns": list(one.columns),
                }
                for one in trained.joined
            ],
            "split": {
                "by": training.split.by,
                "holdout": str(training.split.holdout),
                "column": training.split.column,
                "seed": training.seed,
            },
            **({"weights": training.weights} if training.weights else {}),
            "rowsHeldOut": len(trained.target),
        },
        "metrics": [asdict(estimate) for estimate in trained.evaluation.metrics],
        "absentMetrics": list(trained.evaluation.absent),
        "onnx": trained.graph.kept(),
        **(_judged(judged) if judged else {}),
    }


def _judged(judged: Judged) -> dict[str, Any]:
    return {
        "findings": [asdict(one) for one in findings(judged)],
        "groups": asdict(judged.groups) if judged.groups else None,
        "baselines": [
            {"name": one.name, **asdict(against)}
            for one in judged.baselines
            for against in one.against
        ],
        "slices": [asdict(one) for one in judged.slices],
        "fairness": [asdict(one) for one in judged.fairness],
    }


def markdown(card: Mapping[str, Any]) -> str:
    """The card for people."""
    return "\n".join(_lines(card)) + "\n"


def _lines(card: Mapping[str, Any]) -> Iterator[str]:
    model, data = card["model"], card["data"]
    yield f"# {model['estimator']} for {_plain(model['target'])}"
    yield ""
    yield f"{model['task']} on {model['featureCount']} features."
    if model["classes"]:
        yield f"Classes: {', '.join(map(_plain, model['classes'][:50]))}."
    yield f"Data set {data['dataset']}, version {data['version']}."
    for one in data["join"]:
        yield (
            f"Joined as known at each row's time: Data set {one['dataset']}, version "
            f"{one['version']}: {', '.join(map(_plain, one['columns']))}."
        )
    if data.get("weights"):
        yield f"Rows weighed by {_plain(data['weights'])}."
    split = data["split"]
    column = f" of {_plain(split['column'])}" if split["column"] else ""
    yield ""
    yield (
        f"Measured on {data['rowsHeldOut']} rows held out (by {split['by']}{column}, "
        f"{split['holdout']} of all); intervals are of 95 % confidence."
    )
    if card.get("groups"):
        groups = card["groups"]
        names = ", ".join(map(_plain, groups["columns"]))
        yield f"They count {groups['count']} groups by {names}, not rows."
    yield from _table(
        ("metric", "value", "low", "high"),
        ((m["name"], m["value"], m["low"], m["high"]) for m in card["metrics"]),
    )
    if card.get("findings"):
        yield from ("", "## What the judgement says", "")
        yield from (f"- {_plain(one['words'])}" for one in card["findings"])
    yield from _parts(card)
    yield from ("", f"ONNX: {_plain(graph_words(card['onnx']))}.")
    if model.get("code"):
        yield from ("", "## Code", "")
        yield from (f"- {_plain(name)}: {_plain(value)}" for name, value in model["code"].items())
        return
    yield from ("", "## Steps", "")
    yield from (f"- `{step['class']}` `{step['params']}`" for step in model["steps"])


def _parts(card: Mapping[str, Any]) -> Iterator[str]:
    if card.get("baselines"):
        yield from ("", "## Beside simple models")
        yield from _table(
            ("baseline", "metric", "baseline's", "model less it", "low", "high", "model is"),
            (
                (
                    *(one["name"], one["metric"], one["baseline"]["value"]),
                    *(one["difference"][end] for end in ("value", "low", "high")),
                    one["verdict"].lower(),
                )
                for one in card["baselines"]
            ),
        )
    for one in card.get("slices", ()):
        yield from ("", f"## {one['metric']} by {_plain(one['column'])}")
        yield from _table(
            ("part", "rows", "value", "low", "high", ""),
            (
                (part["name"], part["n"], *_ends(part["estimate"]), "worse" * part["worse"])
                for part in one["parts"]
            ),
        )
    if card.get("fairness"):
        yield from ("", "## Fairness")
        yield from _table(
            ("groups by", "difference", "value", "low", "high", "wanted", "verdict"),
            (
                (
                    *(one["sensitive"], one["metric"]),
                    *(one[end] for end in ("value", "low", "high")),
                    *(f"≤ {one['max']}", one["verdict"]),
                )
                for one in card["fairness"]
            ),
        )


def _ends(estimate: Mapping[str, Any] | None) -> tuple[Any, ...]:
    found = estimate or {}
    return tuple(found.get(end) for end in ("value", "low", "high"))


def _table(heads: Iterable[str], rows: Iterable[Iterable[object]]) -> Iterator[str]:
    names = list(heads)
    yield ""
    yield f"| {' | '.join(names)} |"
    yield "|" + "---|" * len(names)
    for row in rows:
        yield f"| {' | '.join(_cell(value) for value in row)} |"


def _cell(value: object) -> str:
    if value is None:
        return "–"
    return f"{value:.6g}" if isinstance(value, float) else _plain(value)


def _plain(value: object) -> str:
    """Text that Markdown takes for text."""
    words = " ".join(str(value).split())
    return "".join(f"\\{sign}" if sign in "\\`*_[]<>|#" else sign for sign in words)
