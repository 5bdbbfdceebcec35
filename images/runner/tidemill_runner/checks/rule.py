"""One rule of a plan: what it is called, what it allows, and what it asks of the rows."""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from typing import Any

from tidemill_runner.schema import Column

NOTHING = Decimal(0)


class Severity(StrEnum):
    FAIL = "Fail"
    WARN = "Warn"


@dataclass(frozen=True)
class Label:
    """What a rule is called and how much it takes.

    `field` is the place in the spec, `fault` what is said of what violates it; `allowed` is a
    fraction of what is evaluated.
    """

    name: str
    kind: str
    field: str
    fault: str
    column: str | None = None
    severity: Severity = Severity.FAIL
    allowed: Decimal = NOTHING


@dataclass(frozen=True)
class Stated:
    """Known from the schema alone."""

    label: Label
    passed: bool


@dataclass(frozen=True)
class RowRule:
    """Judged in each row: both are conditions in SQL, and what is not judged does not violate."""

    label: Label
    judged: str
    violated: str


@dataclass(frozen=True)
class Member:
    """Judged in each row: the value is one of the literals in SQL."""

    label: Label
    judged: str
    value: str
    literals: tuple[str, ...]


@dataclass(frozen=True)
class Expression:
    """Judged in each row: `code` in SQL is 1 if true, 0 if false, 2 if NULL, NULL if it fails."""

    label: Label
    code: str


@dataclass(frozen=True)
class RowCount:
    label: Label
    least: int | None
    most: int | None


@dataclass(frozen=True)
class Freshness:
    """`moment` is the column in microseconds since 1970 (UTC), `age` how old it may be in them."""

    label: Label
    moment: str
    age: int


@dataclass(frozen=True)
class Repeats:
    """Rows with the same keys (in SQL); `judged` says which rows have keys."""

    label: Label
    keys: tuple[str, ...]
    judged: str
    exact: bool
    # Many keys are first compared by a hash of them, which spares memory.
    wide: bool = False


@dataclass(frozen=True)
class Order:
    """Neighbours for which `wrong`, a comparison of `v` with `before`, holds."""

    label: Label
    value: str
    judged: str
    wrong: str


@dataclass(frozen=True)
class Distribution:
    """Columns that must not move by `effect` from a version; all where none is named.

    Without `version` it is the version in use.
    """

    label: Label
    effect: float
    columns: tuple[str, ...]
    version: str | None = None


@dataclass(frozen=True)
class Exists:
    """Keys that must be in a version of another Dataset, which `source` says where to find.

    `references` are its columns; `named` where the spec names them.
    """

    label: Label
    columns: tuple[Column, ...]
    references: tuple[str, ...]
    named: bool
    source: Mapping[str, Any]

    @property
    def dataset(self) -> str:
        return str(self.source["name"])


@dataclass(frozen=True)
class Leakage:
    """Columns of which none may tell the target alone by `threshold` or more."""

    label: Label
    target: Column
    columns: tuple[Column, ...]
    threshold: float


InScan = RowRule | Member | Expression | RowCount | Freshness
WithOthers = Repeats | Order | Exists | Leakage
Rule = Stated | InScan | WithOthers | Distribution


@dataclass(frozen=True)
class Plan:
    """The rules in the order of the spec, and a prefix that no column's name begins with."""

    rules: tuple[Rule, ...]
    prefix: str = "__value_"
