"""What is done to the rows between source and version."""

from typing import Annotated, Literal

from pydantic import ConfigDict, Field

from tidemill.api.v1alpha1.sources import DatasetSource
from tidemill.api.v1alpha1.types import ApiModel, Duration, rule, rules

MAX_INPUTS = 8
MAX_WORDS = 64
Word = Annotated[str, Field(max_length=16384, description="One word, as the process gets it.")]
Words = Annotated[
    list[Word] | None,
    Field(
        min_length=1,
        max_length=MAX_WORDS,
        json_schema_extra={"x-kubernetes-list-type": "atomic"},
    ),
]


class Input(ApiModel):
    """A version of another Dataset of the namespace, as a table of the query or the container."""

    model_config = ConfigDict(
        json_schema_extra=rules(
            rule(
                "self.name != 'source'",
                "an input may not be named source: that is the table of spec.source",
            )
        )
    )

    name: Annotated[
        str,
        Field(
            pattern=r"^[a-z_][a-z0-9_]*$",
            max_length=63,
            description="Name of the table in the query; not `source`. A word of SQL, such as "
            "order, is quoted there.",
        ),
    ]
    dataset: Annotated[
        DatasetSource,
        Field(
            description="The Dataset whose rows it has. A new version of `latest` makes a new one "
            "of the present Dataset."
        ),
    ]


class Variable(ApiModel):
    """One variable of the container's environment."""

    model_config = ConfigDict(
        json_schema_extra=rules(
            rule(
                "!self.name.startsWith('TIDEMILL_')",
                "names that begin with TIDEMILL_ are set by Tidemill: take another",
            )
        )
    )

    name: Annotated[
        str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$", max_length=128, description="Its name.")
    ]
    value: Annotated[
        str,
        Field(
            max_length=4096,
            description="Its value. It stands in the version as it stands here: no place for "
            "secrets.",
        ),
    ]


class Program(ApiModel):
    """A program of the user's, in an image."""

    model_config = ConfigDict(
        json_schema_extra=rules(
            rule(
                "self.image.matches('^[^@\\\\s]+@sha256:[0-9a-f]{64}$')",
                "image must be named by digest (name@sha256:…): the version says what made it",
            )
        )
    )

    image: Annotated[
        str,
        Field(
            min_length=1,
            max_length=512,
            examples=["registry.example/clean@sha256:…"],
            description="The image, by digest. It is pulled as the namespace's default "
            "ServiceAccount may.",
        ),
    ]
    command: Annotated[Words, Field(description="The entry point. Default: the image's.")] = None
    args: Annotated[Words, Field(description="Its arguments. Default: the image's.")] = None
    env: Annotated[
        list[Variable] | None,
        Field(
            min_length=1,
            max_length=MAX_WORDS,
            description="Variables of its environment, beside TIDEMILL_IN and TIDEMILL_OUT, the "
            "folders that it reads and writes.",
            json_schema_extra={
                "x-kubernetes-list-type": "map",
                "x-kubernetes-list-map-keys": ["name"],
            },
        ),
    ] = None


class Container(Program):
    """A program of the user's that makes files of files."""

    format: Annotated[
        Literal["Parquet", "CSV", "JSONLines"],
        Field(
            description="What it writes: all files below TIDEMILL_OUT whose names do not begin "
            "with a dot or an underscore are of this format."
        ),
    ] = "Parquet"


class Prepare(ApiModel):
    """One SQL query or one container, whose rows are what is checked and versioned."""

    model_config = ConfigDict(
        json_schema_extra=rules(
            rule(
                "has(self.sql) != has(self.container)",
                "exactly one way must be set: sql or container",
            )
        )
    )

    sql: Annotated[
        str | None,
        Field(
            min_length=1,
            max_length=16384,
            description="A SELECT (DuckDB's SQL) from the table `source` and those of `inputs`, "
            "such as SELECT *, hour(ts) AS hour FROM source WHERE demand IS NOT NULL. It reads "
            "nothing else, and must give the same rows each time: no random(), no now(). Rows that "
            "no ORDER BY sorts keep the order of the source where the query allows it.",
        ),
    ] = None
    container: Annotated[
        Container | None,
        Field(
            description="A container that reads the rows as Parquet files in folders named as the "
            "tables of `sql` are, and writes others. It has no keys and no API token. That the "
            "same rows give the same rows is for its image to see to."
        ),
    ] = None
    inputs: Annotated[
        list[Input] | None,
        Field(
            min_length=1,
            max_length=MAX_INPUTS,
            description="Other Datasets of the namespace, as tables beside `source`. Which of "
            "their versions were read is part of the version made.",
            json_schema_extra={
                "x-kubernetes-list-type": "map",
                "x-kubernetes-list-map-keys": ["name"],
            },
        ),
    ] = None
    deadline: Annotated[
        Duration, Field(description="How long the query or the container may run.")
    ] = "30m"
