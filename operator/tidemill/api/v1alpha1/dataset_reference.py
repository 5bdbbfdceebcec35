"""How a run names the data that it uses."""

from typing import Annotated

from pydantic import Field

from tidemill.api.v1alpha1.types import ApiModel, ObjectName


class DatasetReference(ApiModel):
    """A version of a Dataset in the same namespace."""

    name: Annotated[ObjectName, Field(description="Name of the Dataset.")]
    version: Annotated[
        str,
        Field(
            pattern=r"^(latest|sha256:[0-9a-f]{64})$",
            max_length=71,
            description="A digest, or `latest`: the newest when the run starts, pinned in status.",
        ),
    ] = "latest"
