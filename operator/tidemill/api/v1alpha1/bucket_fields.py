"""What is said of a bucket wherever one is named: where its store is, and who may read it."""

from typing import Annotated

from pydantic import Field

from tidemill.api.v1alpha1.meta import LocalObjectReference

Endpoint = Annotated[
    str | None,
    Field(
        pattern=r"^https?://[^/\s]+$",
        max_length=512,
        description="URL of the store. Default: the store that Tidemill itself uses.",
    ),
]
Region = Annotated[
    str | None, Field(max_length=64, description="Region; default: that of Tidemill's store.")
]
PathStyle = Annotated[
    bool | None,
    Field(
        description="Address the bucket in the path (MinIO), not in the host name (AWS). "
        "Default: as Tidemill's store."
    ),
]
Credentials = Annotated[
    LocalObjectReference | None,
    Field(
        description="Secret with the keys AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and, if "
        "wanted, AWS_SESSION_TOKEN. Without it the bucket is read anonymously."
    ),
]
