"""What a run asks of its search, defaults resolved."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tidemill_runner.train_input import Training


@dataclass(frozen=True)
class Dimension:
    """One parameter: the values it may have, or the ends of a range of numbers.

    `log` draws numbers by order of magnitude.
    """

    name: str
    values: tuple[Any, ...] = ()
    ends: tuple[int, int] | tuple[float, float] | None = None
    log: bool = False

    @property
    def probes(self) -> tuple[Any, ...]:
        """Values by which the whole is judged before any data is read."""
        return self.values if self.ends is None else self.ends


@dataclass(frozen=True)
class Sought:
    """The search as in the spec; `patience` is how many trials in a row may be no better.

    `factor` and `min_rows` are of Halving: how many times fewer each round has, and its first rows.
    """

    method: str
    trials: int | None
    metric: str | None
    space: tuple[Dimension, ...]
    folds: int
    parallelism: int
    patience: int | None
    factor: int = 3
    min_rows: int | None = None

    @classmethod
    def of(cls, training: Training) -> "Sought | None":
        """Read what the spec says; None where it asks for none. Parameters are in a fixed order."""
        said = training.search
        if not said:
            return None
        return cls(
            method=said["method"],
            trials=said.get("trials"),
            metric=said.get("metric"),
            space=tuple(_dimension(name, one) for name, one in sorted(said["space"].items())),
            folds=int((said.get("cv") or {}).get("folds") or 5),
            parallelism=int(said.get("parallelism") or 1),
            patience=(said.get("earlyStopping") or {}).get("trials"),
            factor=int(said.get("factor") or 3),
            min_rows=said.get("minRows"),
        )


def _dimension(name: str, said: Mapping[str, Any]) -> Dimension:
    if said.get("values") is not None:
        # kubectl lets no null into a list; no parameter of scikit-learn takes this text.
        return Dimension(name, values=tuple(None if v == "None" else v for v in said["values"]))
    whole = said["type"] == "Int"
    ends = (
        (int(said["low"]), int(said["high"]))
        if whole
        else (float(said["low"]), float(said["high"]))
    )
    return Dimension(name, ends=ends, log=bool(said.get("log")))
