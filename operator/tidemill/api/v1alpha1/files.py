"""How delivered files are written, and which of them are meant."""

from typing import Annotated, Literal

from pydantic import ConfigDict, Field

from tidemill.api.v1alpha1.types import ApiModel, rule, rules

MAX_GLOBS = 16
# A name with single stars, or ** alone: between them it would say nothing.
_NAME = r"(\*\*|\*|\*?([^*/]\*?)+)"

Glob = Annotated[
    str,
    Field(
        pattern=f"^{_NAME}(/{_NAME})*$",
        min_length=1,
        max_length=256,
        examples=["*.csv"],
        description="One glob.",
    ),
]


class CsvDialect(ApiModel):
    """The signs of CSV. All objects of a version are written alike."""

    model_config = ConfigDict(
        json_schema_extra=rules(
            rule(
                "!has(self.delimiter) || self.delimiter != self.quote",
                "delimiter and quote must be different characters",
            ),
            rule(
                "!has(self.comment) || self.comment != self.quote",
                "comment and quote must be different characters",
            ),
            rule(
                "!has(self.comment) || !has(self.delimiter) || self.comment != self.delimiter",
                "comment and delimiter must be different characters",
            ),
        )
    )

    delimiter: Annotated[
        str | None,
        Field(
            pattern=r"^[\t !#$%&'()*+,/:;<=>?@^_`{|}~-]$",
            max_length=1,
            description="What separates fields, one character. Default: the comma, semicolon, tab "
            "or bar that the first rows show.",
        ),
    ] = None
    quote: Annotated[
        str,
        Field(
            pattern="""^(["'`~^$%|]|None)$""",
            max_length=4,
            description="What fields may stand in, doubled where it is a part of them; None: no "
            "field is quoted.",
        ),
    ] = '"'
    decimal: Annotated[
        Literal[".", ","],
        Field(description="What stands before a number's fraction. Thousands have no sign."),
    ] = "."
    encoding: Annotated[
        Literal["UTF-8", "Latin-1", "Windows-1252", "UTF-16"] | None,
        Field(
            description="Encoding. Default: as the byte order mark says, else UTF-8. UTF-16 needs "
            "such a mark."
        ),
    ] = None
    header: Annotated[
        bool,
        Field(
            description="Whether the first row holds the names of the columns; without them they "
            "are column1, column2 and so on."
        ),
    ] = True
    comment: Annotated[
        str | None,
        Field(
            pattern=r"^[#%;!/*-]$",
            max_length=1,
            description="Lines that begin with this character are left out. Default: none are.",
        ),
    ] = None


Csv = Annotated[
    CsvDialect | None, Field(description="How CSV is written, where it is not as usual.")
]
CSV_ONLY = rule(
    "self.format == 'CSV' || !has(self.csv)",
    "csv says how CSV is written: set format to CSV, or leave csv out",
)
Include = Annotated[
    list[Glob] | None,
    Field(
        min_length=1,
        max_length=MAX_GLOBS,
        description="Globs of which a name below the prefix or the folder must match one: * stands "
        "for any part of a name, ? for one character, ** for any number of folders, as in *.csv or "
        "2024/**/*.parquet. Default: every object.",
        json_schema_extra={"x-kubernetes-list-type": "set"},
    ),
]
Partitions = Annotated[
    Literal["Hive"] | None,
    Field(
        description="Hive: folders of the form key=value below the prefix or the folder are "
        "columns, which follow those of the files."
    ),
]
