"""How long the versions of a Dataset are kept."""

from datetime import datetime
from typing import Annotated, Literal

from pydantic import ConfigDict, Field

from tidemill.api.v1alpha1.types import ApiModel, Duration, StatusModel, rule, rules

DeletionPolicy = Literal["Retain", "Delete"]
MAX_KEPT = 100_000


class Retention(ApiModel):
    """A version that is beyond every limit given, and that nothing uses, is removed."""

    model_config = ConfigDict(
        json_schema_extra=rules(
            rule(
                "has(self.versions) || has(self.age)",
                "retention limits nothing: set versions, age or both",
            )
        )
    )

    versions: Annotated[
        int | None,
        Field(
            ge=1,
            le=MAX_KEPT,
            description="How many versions are kept, newest first; of rejected deliveries as many.",
        ),
    ] = None
    age: Annotated[
        Duration | None,
        Field(
            description="Versions are kept for as long as this. With versions as well, one goes "
            "when it is beyond both."
        ),
    ] = None


class RetentionStatus(StatusModel):
    """Versions in the store, and what becomes of them; written when any of it changes."""

    versions: Annotated[
        int | None, Field(description="Versions in the store, with rejected and unfinished ones.")
    ] = None
    bytes: Annotated[
        int | None,
        Field(description="Their size in bytes; content that several share counts for each."),
    ] = None
    condemned: Annotated[
        int, Field(description="How many of them are beyond the limits and not in use.")
    ] = 0
    condemned_bytes: Annotated[
        int, Field(description="Their size: at most as much becomes free.")
    ] = 0
    next_removal_time: Annotated[
        datetime | None,
        Field(description="When the first of them may go, if nothing uses it by then."),
    ] = None
    removed: Annotated[int, Field(description="How many versions were removed so far.")] = 0
    message: Annotated[
        str | None,
        Field(max_length=1024, description="What keeps versions from being removed, if anything."),
    ] = None
