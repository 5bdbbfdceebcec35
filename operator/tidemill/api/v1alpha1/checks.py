"""What data must be like before it becomes a version: the columns declared, and checks."""

from typing import Annotated, Literal

from pydantic import ConfigDict, Field

from tidemill.api.v1alpha1.types import ApiModel, Duration, Fraction, rule, rules

MAX_CHECKS = 64
MAX_COLUMNS = 2048
MAX_IN = 10_000
MAX_EXPRESSION = 4096
MAX_KEYS = 32

NUMBER_PATTERN = r"[+-]?[0-9]+(\.[0-9]+)?([eE][+-]?[0-9]{1,3})?"
TIME_PATTERN = (
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}"
    r"([T ][0-9]{2}:[0-9]{2}(:[0-9]{2}(\.[0-9]{1,6})?)?(Z|[+-][0-9]{2}:[0-9]{2})?)?"
)

DeclaredType = Literal["Integer", "Float", "Boolean", "String", "Date", "Timestamp", "Other"]
ColumnName = Annotated[
    str, Field(min_length=1, max_length=1024, description="Name of a column, as in the files.")
]
Bound = Annotated[
    str, Field(pattern=rf"^({NUMBER_PATTERN}|{TIME_PATTERN})$", max_length=64, examples=["0.5"])
]
Count = Annotated[int, Field(ge=0, le=9_007_199_254_740_991)]
Severity = Annotated[
    Literal["Fail", "Warn"],
    Field(description="Fail: data that violates it does not become a version. Warn: it is told."),
]


class ColumnRules(ApiModel):
    """What one column must be like. A value that is missing violates no rule but on gaps."""

    model_config = ConfigDict(
        json_schema_extra=rules(
            rule(
                "!has(self.maxNullFraction) || !has(self.nullable) || self.nullable",
                "maxNullFraction allows gaps that nullable: false forbids: leave one of them out",
            ),
            rule(
                "!has(self.minLength) || !has(self.maxLength) || self.minLength <= self.maxLength",
                "minLength is above maxLength: no text could be both",
            ),
        )
    )

    name: ColumnName
    type: Annotated[
        DeclaredType | None,
        Field(
            description="Type over all rows; one that is wider is a fault, too. A column that is "
            "narrower (whole numbers for Float, dates for Timestamp), in CSV any column "
            "for String, is read as declared. Default: not judged."
        ),
    ] = None
    nullable: Annotated[
        bool | None,
        Field(description="false: no value may be missing (NaN is missing). Default: not judged."),
    ] = None
    max_null_fraction: Annotated[
        Fraction | None, Field(description="The fraction of values that may be missing.")
    ] = None
    min: Annotated[
        Bound | None,
        Field(
            description="Least value allowed, of Integer, Float, Date or Timestamp. "
            "A time without a zone is in UTC. Infinity violates it in either direction."
        ),
    ] = None
    max: Annotated[
        Bound | None, Field(description="Greatest value allowed; otherwise as `min`.")
    ] = None
    in_: Annotated[
        list[Annotated[str, Field(max_length=1024, description="A value.")]] | None,
        Field(
            alias="in",
            min_length=1,
            max_length=MAX_IN,
            description="The only values allowed; numbers and times are compared by value.",
            json_schema_extra={"x-kubernetes-list-type": "set"},
        ),
    ] = None
    regex: Annotated[
        str | None,
        Field(
            min_length=1,
            max_length=1024,
            description="Regular expression (RE2) that the whole of each text must match.",
        ),
    ] = None
    min_length: Annotated[
        Count | None, Field(description="Least number of characters of a text.")
    ] = None
    max_length: Annotated[
        Count | None, Field(description="Greatest number of characters of a text.")
    ] = None
    unique: Annotated[
        bool, Field(description="No value may occur twice; judged as the check `unique` does.")
    ] = False
    sensitive: Annotated[
        bool, Field(description="Its values must never be shown in a report, a log or the status.")
    ] = False
    severity: Severity = "Fail"
    max_violation_fraction: Annotated[
        Fraction | None,
        Field(
            description="The fraction of values that may violate each of min, max, in, regex, "
            "minLength, maxLength and unique. Default: none."
        ),
    ] = None


class SchemaSpec(ApiModel):
    """Which columns there must be, and what they must be like."""

    model_config = ConfigDict(
        json_schema_extra=rules(
            rule(
                "self.mode == 'Infer' || (has(self.columns) && size(self.columns) > 0)",
                "mode Enforce needs columns: with none declared all data would be refused",
            )
        )
    )

    mode: Annotated[
        Literal["Infer", "Enforce"],
        Field(
            description="Infer: the columns declared must be there and keep their rules, others "
            "may be. Enforce: there may be no others."
        ),
    ] = "Infer"
    on_change: Annotated[
        Literal["Reject", "Warn", "Retrain"],
        Field(
            description="What follows when columns are others than in the version before, and "
            "none of the rules here is broken."
        ),
    ] = "Warn"
    columns: Annotated[
        list[ColumnRules],
        Field(
            default_factory=list,
            max_length=MAX_COLUMNS,
            description="The columns declared.",
            json_schema_extra={
                "x-kubernetes-list-type": "map",
                "x-kubernetes-list-map-keys": ["name"],
            },
        ),
    ]


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
    """Columns must be distributed as in the version in use."""

    model_config = ConfigDict(
        json_schema_extra=rules(
            rule(
                "double(self.effect) >= 0.1",
                "effect is below 0.1: so little is not told from nothing",
            )
        )
    )

    against: Annotated[
        Literal["Previous"],
        Field(description="Previous: the version in use; without one it holds."),
    ] = "Previous"
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


_KINDS = (
    "rowCount",
    "expression",
    "unique",
    "freshness",
    "monotonic",
    "duplicateRows",
    "distribution",
)
_WHOLE = ("rowCount", "freshness")


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
                f"{' and '.join(_WHOLE)} hold or do not: they take no maxViolationFraction",
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
    severity: Severity = "Fail"
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
        Field(description="Columns must be distributed as in the version in use."),
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
