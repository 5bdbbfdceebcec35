"""The columns that data must have before it becomes a version, and what each must be like."""

from typing import Annotated, Literal

from pydantic import ConfigDict, Field

from tidemill.api.v1alpha1.types import ApiModel, Fraction, rule, rules

MAX_COLUMNS = 2048
MAX_IN = 10_000

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
