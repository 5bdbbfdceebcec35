"""Whether a run may take the result of an earlier one, and whose it took."""

from datetime import datetime
from typing import Annotated, Literal

from pydantic import Field

from tidemill.api.v1alpha1.types import StatusModel

Cache = Literal["Use", "Refresh"]


class CachedFrom(StatusModel):
    """The run whose result was taken."""

    name: Annotated[str, Field(max_length=253, description="Its name.")]
    uid: Annotated[str, Field(max_length=64, description="Its uid; it may have been deleted.")]
    completed_at: Annotated[datetime, Field(description="When it ended.")]
