"""Work that is too much for one machine: an engine over several pods of one Job."""

from typing import Annotated, Literal

from pydantic import Field

from tidemill.api.v1alpha1.types import ApiModel

MAX_WORKERS = 64


class Distributed(ApiModel):
    """An engine over the pods of one Job, started for it and gone after it."""

    engine: Annotated[
        Literal["Dask"],
        Field(description="Dask: the pods form a cluster of their own, with TLS between them."),
    ] = "Dask"
    workers: Annotated[
        int,
        Field(
            ge=1,
            le=MAX_WORKERS,
            description="How many pods there are; the first also schedules. Each is as template "
            "says.",
        ),
    ]
