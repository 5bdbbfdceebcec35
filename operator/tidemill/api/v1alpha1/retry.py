"""When a run is tried again, and which attempt it is at."""

from typing import Annotated

from pydantic import Field

from tidemill.api.v1alpha1.types import ApiModel, Quantity, StatusModel

MAX_RETRIES = 10


class Retry(ApiModel):
    """How a run is tried again; an error of the spec or of the data never is."""

    limit: Annotated[
        int | None,
        Field(
            ge=0,
            le=MAX_RETRIES,
            description="How many times it is tried again after what was not its own fault: the "
            "store or the network failed, the pod was evicted, its node was lost. Pauses grow from "
            "10 s. Default: until the deadline.",
        ),
    ] = None
    grow_memory: Annotated[
        Quantity | None,
        Field(
            description="Where the run passes its memory limit: try once more with this much, as "
            "request and as limit. It is to be more than the limit. Default: no such try."
        ),
    ] = None


class Attempt(StatusModel):
    """Why the run is not at its first attempt."""

    number: Annotated[int, Field(description="Which attempt it is: 2 or more.")]
    reason: Annotated[str, Field(max_length=64, description="How the one before it ended.")]
    message: Annotated[str, Field(max_length=1024, description="The same in words.")]
    pod: Annotated[str, Field(max_length=253, description="The pod that ended so.")]
