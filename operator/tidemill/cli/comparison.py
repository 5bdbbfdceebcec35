"""What is different between two runs: what they were asked for, what they were made of, how good.

Parameters are told by the path of their field. A difference of metrics means something only where
both were measured on the same rows: whether they were follows from what decides which rows those
are.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from tidemill.cli.words import short

# Which rows are held out follows from these alone.
_ROWS = ("dataset", "join", "target", "split", "seed")
# What only says how it was worked on.
_OMITTED = ("suspend", "cache", "retry", "deadline", "template")
Body = Mapping[str, Any]


@dataclass(frozen=True)
class Difference:
    """A parameter in both; None where a run has none of that name."""

    name: str
    before: str | None
    after: str | None

    @property
    def same(self) -> bool:
        """Tell whether it is none."""
        return self.before == self.after


@dataclass(frozen=True)
class Measured:
    """A metric of both; None where a run has not measured it."""

    name: str
    before: Body | None
    after: Body | None

    @property
    def change(self) -> float | None:
        """Give by how much the second is more, where both have it."""
        if self.before is None or self.after is None:
            return None
        return float(self.after["value"]) - float(self.before["value"])


@dataclass(frozen=True)
class Comparison:
    """Two runs side by side."""

    parameters: tuple[Difference, ...]
    metrics: tuple[Measured, ...]
    same_rows: bool

    def to_dict(self) -> dict[str, Any]:
        """Give it for programs."""
        return {
            "sameRows": self.same_rows,
            "parameters": [
                {"name": one.name, "a": one.before, "b": one.after, "same": one.same}
                for one in self.parameters
            ],
            "metrics": [
                {"name": one.name, "a": one.before, "b": one.after, "change": one.change}
                for one in self.metrics
            ],
        }


def compare(first: Body, second: Body) -> Comparison:
    """Put two TrainingRuns side by side."""
    one, two = parameters(first), parameters(second)
    names = [*one, *(name for name in two if name not in one)]
    return Comparison(
        tuple(Difference(name, one.get(name), two.get(name)) for name in names),
        tuple(_metrics(first, second)),
        _rows(first) == _rows(second),
    )


def parameters(run: Body) -> dict[str, str]:
    """Give what a run was asked for and what it was made of, by name, as text."""
    applied = (run.get("status") or {}).get("applied") or {}
    asked = {name: value for name, value in run["spec"].items() if name not in _OMITTED}
    asked["dataset"] = {"name": run["spec"]["dataset"]["name"]}
    found = dict(_flat("", asked))
    if applied.get("datasetVersion"):
        found["dataset.version"] = short(applied["datasetVersion"])
    for table in applied.get("tables") or ():
        found[f"join.{table['name']}.version"] = short(table["version"])
    if applied.get("image"):
        found["image"] = short(applied["image"].rpartition("@")[2])
    return found


def _flat(path: str, value: object) -> Iterator[tuple[str, str]]:
    """Give the leaves of a tree; a list of things with names is walked by these."""
    if isinstance(value, Mapping):
        for name, inner in value.items():
            yield from _flat(f"{path}.{name}" if path else str(name), inner)
    elif isinstance(value, list) and value and all(_name(one) for one in value):
        for inner in value:
            rest = {name: leaf for name, leaf in inner.items() if name != "name"}
            yield from _flat(f"{path}.{_name(inner)}", rest)
    elif isinstance(value, list):
        yield path, ", ".join(str(one) for one in value)
    else:
        yield path, str(value)


def _name(value: object) -> str:
    return str(value.get("name") or "") if isinstance(value, Mapping) else ""


def _metrics(first: Body, second: Body) -> Iterator[Measured]:
    one, two = (
        {metric["name"]: metric for metric in (run.get("status") or {}).get("metrics") or ()}
        for run in (first, second)
    )
    for name in [*one, *(name for name in two if name not in one)]:
        yield Measured(name, one.get(name), two.get(name))


def _rows(run: Body) -> tuple[object, ...]:
    applied = (run.get("status") or {}).get("applied") or {}
    spec = {**run["spec"], "dataset": applied.get("datasetVersion")}
    defaults = {"seed": 0, "split": {"by": "Random", "holdout": "0.2"}}
    versions = [one.get("version") for one in applied.get("tables") or ()]
    return (*(spec.get(name) or defaults.get(name) for name in _ROWS), versions)
