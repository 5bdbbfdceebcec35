"""Where a Dataset's data comes from, beside a bucket: the spec itself, a web server, a Dataset."""

from typing import Annotated, Literal

from pydantic import ConfigDict, Field

from tidemill.api.v1alpha1.files import CSV_ONLY, Csv
from tidemill.api.v1alpha1.meta import LocalObjectReference
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
            description="Where the file is. It is asked for by HEAD every refresh.pollInterval; "
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
