"""Where a Dataset's data comes from."""

from typing import Annotated, Literal

from pydantic import ConfigDict, Field

from tidemill.api.v1alpha1.bucket_fields import Credentials, PathStyle, Region
from tidemill.api.v1alpha1.files import CSV_ONLY, Csv, Include, Partitions
from tidemill.api.v1alpha1.meta import LocalObjectReference
from tidemill.api.v1alpha1.tls import Tls
from tidemill.api.v1alpha1.types import ApiModel, Digest, ObjectName, Quantity, rule, rules

MAX_INLINE_BYTES = 256 * 1024


class InlineSource(ApiModel):
    """A small table in the spec itself."""

    model_config = ConfigDict(json_schema_extra=rules(CSV_ONLY))

    format: Annotated[
        Literal["CSV", "JSONLines"], Field(description="Format of the data: CSV or JSONLines.")
    ]
    csv: Csv = None
    data: Annotated[
        str,
        Field(
            min_length=1,
            max_length=MAX_INLINE_BYTES,
            description="The data, at most 256 KiB as UTF-8. What kubectl applies must fit into an "
            "annotation as well: above about 200 KiB use --server-side.",
            json_schema_extra=rules(
                rule(
                    f"size(bytes(self)) <= {MAX_INLINE_BYTES}",
                    "data holds more than 256 KiB: deliver it to a bucket",
                )
            ),
        ),
    ]


class HttpSource(ApiModel):
    """One file on a web server. Addresses outside of the public internet need the administrator."""

    model_config = ConfigDict(json_schema_extra=rules(CSV_ONLY))

    url: Annotated[
        str,
        Field(
            pattern=r"^https?://[A-Za-z0-9._:\[\]-]+(/[!-\"$->@-~]*)?(\?[!-\"$-~]*)?$",
            max_length=2048,
            description="Where the file is. It is asked for by HEAD as refresh says; "
            "entity tag, date and length tell whether it has changed. Where the server gives "
            "neither tag nor date, it is read anew when its length changes or a reconcile is asked "
            "for. Without credentials in it: they belong into headersRef.",
        ),
    ]
    format: Annotated[
        Literal["CSV", "JSONLines", "Parquet"],
        Field(description="Format of the file: CSV, JSONLines or Parquet."),
    ]
    csv: Csv = None
    checksum: Annotated[
        Digest | None,
        Field(
            description="Digest that the file must have, as sha256:<64 hexadecimal digits>. With "
            "it the file is read once, and again only when the spec changes."
        ),
    ] = None
    headers_ref: Annotated[
        LocalObjectReference | None,
        Field(
            description="Secret whose every key is sent as a header of the request, such as "
            "Authorization. They are not sent on to another host after a redirect."
        ),
    ] = None
    max_size: Annotated[
        Quantity, Field(description="A larger file is refused, in bytes as a quantity.")
    ] = "10Gi"


class DatasetSource(ApiModel):
    """A version of another Dataset of the same namespace."""

    name: Annotated[ObjectName, Field(description="Name of the Dataset; not the present one.")]
    version: Annotated[
        str,
        Field(
            pattern=r"^(latest|sha256:[0-9a-f]{64})$",
            max_length=71,
            description="A digest, or `latest`: each new version of it makes one of this.",
        ),
    ] = "latest"


Format = Literal["CSV", "JSONLines", "Parquet"]


class S3Source(ApiModel):
    """Objects in a bucket of any S3-compatible store."""

    model_config = ConfigDict(json_schema_extra=rules(CSV_ONLY))

    endpoint: Annotated[
        str | None,
        Field(
            pattern=r"^https?://[^/\s]+$",
            max_length=512,
            description="URL of the store, such as https://s3.example.org. "
            "Default: the store that Tidemill itself uses.",
        ),
    ] = None
    region: Region = None
    bucket: Annotated[
        str,
        Field(
            pattern=r"^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$",
            max_length=63,
            description="Bucket that holds the data.",
        ),
    ]
    prefix: Annotated[
        str,
        Field(
            max_length=1024,
            description="Every object whose key starts with this belongs to the data set; "
            "names that start with a dot or an underscore are left out.",
        ),
    ] = ""
    format: Annotated[
        Format,
        Field(
            description="Format of the objects: CSV, JSONLines (a JSON object a line) or Parquet. "
            "CSV and JSONLines may be compressed by gzip or zstd, which their first bytes show."
        ),
    ]
    csv: Csv = None
    include: Include = None
    partitions: Partitions = None
    path_style: PathStyle = None
    credentials_ref: Credentials = None


class SqlSource(ApiModel):
    """The rows of one query to a database server, read in one snapshot."""

    engine: Annotated[
        Literal["PostgreSQL"], Field(description="What the server is: PostgreSQL, 12 or later.")
    ]
    host: Annotated[
        str,
        Field(
            pattern=r"^[A-Za-z0-9:][A-Za-z0-9._:-]*$",
            max_length=253,
            description="Name or address of the server. Private addresses are open; loopback, "
            "link-local and metadata addresses and the cluster's API server are refused unless "
            "the administrator allows their network.",
        ),
    ]
    port: Annotated[int, Field(ge=1, le=65535, description="Port of the server.")] = 5432
    database: Annotated[
        str,
        Field(
            pattern=r"^[^\x00-\x1f\x7f]+$",
            min_length=1,
            max_length=63,
            description="Name of the database.",
        ),
    ]
    query: Annotated[
        str,
        Field(
            min_length=1,
            max_length=16384,
            description="One SELECT, which runs read-only. Its rows are sorted before they are "
            "versioned: the order in which the server gives them does not count.",
        ),
    ]
    watermark: Annotated[
        str | None,
        Field(
            min_length=1,
            max_length=63,
            description="A column of the query whose greatest value, with the number of rows, "
            "tells every refresh.pollInterval whether to read anew; such as the time of the last "
            "change. Without it the rows are read when the spec or the columns change or a "
            "reconcile is asked for.",
        ),
    ] = None
    tls: Tls = "VerifyFull"
    credentials_ref: Annotated[
        LocalObjectReference,
        Field(
            description="Secret with the keys username, password and, if wanted, ca.crt. A user "
            "that may only read what the query needs is enough, and best."
        ),
    ]
    max_size: Annotated[
        Quantity,
        Field(description="More than this is refused, in bytes of the values, as a quantity."),
    ] = "10Gi"


class PvcSource(ApiModel):
    """Files on a volume: those of a PersistentVolumeClaim of the same namespace."""

    model_config = ConfigDict(json_schema_extra=rules(CSV_ONLY))

    claim_name: Annotated[
        ObjectName,
        Field(
            description="Name of the PersistentVolumeClaim. Nobody but a pod sees into a volume: "
            "its files are read once, and anew when the spec changes, the claim is replaced, a "
            "time of refresh.schedule comes or a reconcile is asked for. The user or group 65532 "
            "must be able to read them; the volume is mounted read-only."
        ),
    ]
    path: Annotated[
        str,
        Field(
            pattern=r"^([^/\x00-\x1f]+(/[^/\x00-\x1f]+)*/?)?$",
            max_length=1024,
            examples=["power/2026"],
            description="Folder on the volume whose files, at any depth, are the data set; names "
            "that start with a dot or an underscore are left out. Default: the whole volume.",
            json_schema_extra=rules(
                rule(
                    "!self.matches('(^|/)[.]{1,2}(/|$)')",
                    "path leads down from the top of the volume: no part of it may be . or ..",
                )
            ),
        ),
    ] = ""
    format: Annotated[
        Format,
        Field(
            description="Format of the files: CSV, JSONLines (a JSON object a line) or Parquet. "
            "CSV and JSONLines may be compressed by gzip or zstd, which their first bytes show."
        ),
    ]
    csv: Csv = None
    include: Include = None
    partitions: Partitions = None


class Source(ApiModel):
    """Where the data comes from; exactly one."""

    model_config = ConfigDict(
        json_schema_extra=rules(
            rule(
                "[has(self.s3), has(self.inline), has(self.http), has(self.dataset), "
                "has(self.sql), has(self.pvc)].filter(given, given).size() == 1",
                "exactly one source must be set: s3, inline, http, dataset, sql or pvc",
            )
        )
    )

    s3: Annotated[S3Source | None, Field(description="Objects in an S3-compatible store.")] = None
    inline: Annotated[
        InlineSource | None, Field(description="A small table in the spec itself.")
    ] = None
    http: Annotated[HttpSource | None, Field(description="One file on a web server.")] = None
    dataset: Annotated[
        DatasetSource | None, Field(description="A version of another Dataset of the namespace.")
    ] = None
    sql: Annotated[
        SqlSource | None, Field(description="The rows of a query to a PostgreSQL server.")
    ] = None
    pvc: Annotated[
        PvcSource | None, Field(description="Files on a volume, by its PersistentVolumeClaim.")
    ] = None
