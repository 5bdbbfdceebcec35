"""Features that a server looks up by key, so that a request need not bring them."""

from typing import Annotated, Literal

from pydantic import Field

from tidemill.api.v1alpha1.online_store import OnlineStore
from tidemill.api.v1alpha1.types import ApiModel, rule, rules

LookupTimeout = Annotated[
    str,
    Field(
        pattern=r"^([0-9]{1,5}(ms|s))+$",
        max_length=16,
        examples=["50ms"],
        json_schema_extra=rules(
            rule(
                "duration(self) >= duration('1ms') && duration(self) <= duration('10s')",
                "timeout is from 1ms to 10s: a prediction waits for it",
            )
        ),
    ),
]


class ServingFeatures(ApiModel):
    """Where the features that the model joined in training are looked up, and what if not."""

    online: Annotated[
        OnlineStore,
        Field(
            description="The store that holds the newest features of each key, filled by the "
            "spec.online of the Datasets that the model joined."
        ),
    ]
    timeout: Annotated[
        LookupTimeout,
        Field(description="How long a request waits for the store, all its rows together."),
    ] = "50ms"
    on_unavailable: Annotated[
        Literal["Fail", "Missing"],
        Field(
            description="What becomes of a request when the store does not answer in time. Fail: "
            "it is refused with 503. Missing: it is answered as if no key had features, and the "
            "answer says so."
        ),
    ] = "Fail"
