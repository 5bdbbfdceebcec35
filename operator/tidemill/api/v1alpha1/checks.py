"""Checks that data must pass before it becomes a version."""

from typing import Annotated, Literal

from pydantic import ConfigDict, Field

from tidemill.api.v1alpha1.schema import MAX_COLUMNS, ColumnName, Count
from tidemill.api.v1alpha1.sources import DatasetSource
from tidemill.api.v1alpha1.types import ApiModel, Digest, Duration, Fraction, rule, rules

MAX_CHECKS = 64
MAX_EXPRESSION = 4096
MAX_KEYS = 32


class RowCount(ApiModel):
    """How many rows there must be."""

    model_config = ConfigDict(
        json_schema_extra=rules(
            rule("has(self.min) || has(self.max)", "min, max or both must be set"),
            rule(
                "!has(self.min) || !has(self.max) || self.min <= self.max",
                "min is above max: no number of rows could be both",
            ),
        )
    )

    min: Annotated[Count | None, Field(description="Least number of rows.")] = None
    max: Annotated[Count | None, Field(description="Greatest number of rows.")] = None


class Unique(ApiModel):
    """Columns whose values, taken together, must not occur twice."""

    columns: Annotated[
        list[ColumnName],
        Field(
            min_length=1,
            max_length=MAX_KEYS,
            description="The columns. A row that lacks one of the values is not judged.",
            json_schema_extra={"x-kubernetes-list-type": "set"},
        ),
    ]
    exact: Annotated[
        bool,
        Field(
            description="true: every row is compared, which takes memory or scratch space. "
            "false: of more than a million rows a sample by value is; what it finds is certain, "
            "a few repetitions among very many rows may be missed."
        ),
    ] = False


class Freshness(ApiModel):
    """How old the newest row may be when the data is ingested."""

    column: Annotated[ColumnName, Field(description="A column of type Date or Timestamp.")]
    max_age: Annotated[
        Duration,
        Field(
            description="Age of the newest value, at most; a date counts from 00:00 UTC. "
            "Values of the future make nothing fresh."
        ),
    ]


class Monotonic(ApiModel):
    """A column that only grows, or only falls, from row to row, objects in the order of keys."""

    column: Annotated[
        ColumnName, Field(description="A column of type Integer, Float, Date or Timestamp.")
    ]
    direction: Annotated[
        Literal["Increasing", "Decreasing"], Field(description="Which way it goes.")
    ] = "Increasing"
    strict: Annotated[bool, Field(description="true: equal neighbours are a violation.")] = False


class DuplicateRows(ApiModel):
    """No two rows may be equal in all columns."""


class Distribution(ApiModel):
    """Columns must be distributed as in another version."""

    model_config = ConfigDict(
        json_schema_extra=rules(
            rule(
                "double(self.effect) >= 0.1",
                "effect is below 0.1: so little is not told from nothing",
            ),
            rule(
                "(self.against == 'Version') == has(self.version)",
                "version names what is compared with: it is needed with against: Version and "
                "only there",
            ),
        )
    )

    against: Annotated[
        Literal["Previous", "Version"],
        Field(
            description="Previous: the version in use; without one it holds. Version: the one "
            "that `version` names, so that many small steps away from it are seen."
        ),
    ] = "Previous"
    version: Annotated[
        Digest | None, Field(description="A version of the present Dataset, by its digest.")
    ] = None
    effect: Annotated[
        Fraction,
        Field(
            description="The distance from which on a column has moved: Kolmogorov-Smirnov's D of "
            "numbers, Jensen-Shannon's of categories, both from 0 to 1. 0.12 is a shift by 0.3 "
            "standard deviations. What chance explains at these numbers of rows never counts."
        ),
    ] = "0.2"
    columns: Annotated[
        list[ColumnName] | None,
        Field(
            min_length=1,
            max_length=MAX_COLUMNS,
            description="The columns; default all whose distributions are known.",
            json_schema_extra={"x-kubernetes-list-type": "set"},
        ),
    ] = None


class Referential(ApiModel):
    """Keys that must be in another Dataset."""

    model_config = ConfigDict(
        json_schema_extra=rules(
            rule(
                "!has(self.references) || size(self.references) == size(self.columns)",
                "references and columns differ in number: name one for each, in the same order",
            )
        )
    )

    columns: Annotated[
        list[ColumnName],
        Field(
            min_length=1,
            max_length=MAX_KEYS,
            description="The columns whose values, taken together, are the key. A row that lacks "
            "one of them is not judged.",
            json_schema_extra={"x-kubernetes-list-type": "set"},
        ),
    ]
    dataset: Annotated[
        DatasetSource,
        Field(
            description="The Dataset that must have the keys. With `latest` the data is judged "
            "again when that has a new version."
        ),
    ]
    references: Annotated[
        list[ColumnName] | None,
        Field(
            min_length=1,
            max_length=MAX_KEYS,
            description="Its columns, of the same types; default those of the same names.",
            json_schema_extra={"x-kubernetes-list-type": "set"},
        ),
    ] = None


class Leakage(ApiModel):
    """No column alone may tell the target: a model would learn it and nothing else."""

    model_config = ConfigDict(
        json_schema_extra=rules(
            rule(
                "double(self.threshold) >= 0.5",
                "threshold is below 0.5: so much any good feature tells",
            )
        )
    )

    target: Annotated[ColumnName, Field(description="The column that is to be predicted.")]
    threshold: Annotated[
        Fraction,
        Field(
            description="From which strength on a column is named: the part of the errors of "
            "always guessing the most frequent value that knowing the column spares, learnt on one "
            "half of a sample of rows and judged on the other."
        ),
    ] = "0.99"


_KINDS = (
    "rowCount",
    "expression",
    "unique",
    "freshness",
    "monotonic",
    "duplicateRows",
    "distribution",
    "referential",
    "leakage",
)
_WHOLE = ("rowCount", "freshness", "leakage")


class Check(ApiModel):
    """One check; exactly one kind."""

    model_config = ConfigDict(
        json_schema_extra=rules(
            rule(
                f"[{', '.join(f'has(self.{kind})' for kind in _KINDS)}]"
                ".filter(given, given).size() == 1",
                f"exactly one kind must be set: {', '.join(_KINDS[:-1])} or {_KINDS[-1]}",
            ),
            rule(
                "!has(self.maxViolationFraction) || "
                f"({' && '.join(f'!has(self.{kind})' for kind in _WHOLE)})",
                f"{', '.join(_WHOLE[:-1])} and {_WHOLE[-1]} hold or do not: they take no "
                "maxViolationFraction",
            ),
        )
    )

    name: Annotated[
        str,
        Field(
            pattern=r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$",
            max_length=63,
            description="Name of the check, for reports and messages.",
        ),
    ]
    severity: Annotated[
        Literal["Fail", "Warn"] | None,
        Field(
            description="Fail: data that violates it does not become a version. Warn: it is told. "
            "Default: Fail, of leakage Warn."
        ),
    ] = None
    max_violation_fraction: Annotated[
        Fraction | None,
        Field(description="The fraction of rows that may violate it; default none."),
    ] = None
    row_count: Annotated[RowCount | None, Field(description="How many rows there must be.")] = None
    expression: Annotated[
        str | None,
        Field(
            min_length=1,
            max_length=MAX_EXPRESSION,
            description="Condition in SQL (DuckDB's) that must be true of each row, such as "
            "price >= 0 AND (low <= high OR high IS NULL). A row for which it is NULL is not "
            "judged, one for which it cannot be computed violates it. No subqueries, aggregates, "
            "windows, or functions but the plain ones of numbers, text and times.",
        ),
    ] = None
    unique: Annotated[Unique | None, Field(description="Values that must not occur twice.")] = None
    freshness: Annotated[Freshness | None, Field(description="How old the newest row may be.")] = (
        None
    )
    monotonic: Annotated[
        Monotonic | None, Field(description="A column that only grows or only falls.")
    ] = None
    duplicate_rows: Annotated[
        DuplicateRows | None, Field(description="No two rows may be equal in all columns.")
    ] = None
    distribution: Annotated[
        Distribution | None,
        Field(description="Columns must be distributed as in the version in use, or another."),
    ] = None
    referential: Annotated[
        Referential | None, Field(description="Keys that must be in another Dataset.")
    ] = None
    leakage: Annotated[
        Leakage | None, Field(description="No column alone may tell the target.")
    ] = None


Checks = Annotated[
    list[Check],
    Field(
        max_length=MAX_CHECKS,
        description="Checks that the data must pass to become a version.",
        json_schema_extra={
            "x-kubernetes-list-type": "map",
            "x-kubernetes-list-map-keys": ["name"],
        },
    ),
]
