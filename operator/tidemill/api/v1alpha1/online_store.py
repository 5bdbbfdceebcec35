"""Where an online store is: the server that keeps the newest features of each key."""

from datetime import datetime
from typing import Annotated

from pydantic import Field

from tidemill.api.v1alpha1.meta import LocalObjectReference
from tidemill.api.v1alpha1.tls import Tls
from tidemill.api.v1alpha1.types import ApiModel, Digest, Duration, StatusModel, rule, rules

ADDRESS_PATTERN = (
    r"^([A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?|\[[0-9A-Fa-f:]+(\.[0-9]+){0,3}\]):[0-9]{1,5}$"
)


class OnlineStore(ApiModel):
    """A server that speaks Redis' protocol, and how it is spoken to."""

    address: Annotated[
        str,
        Field(
            pattern=ADDRESS_PATTERN,
            max_length=260,
            examples=["redis.example.org:6379"],
            description="Name or address and port of a Redis or Valkey server, which is no "
            "cluster of several. Private addresses are open; loopback, link-local and metadata "
            "addresses and the cluster's API server are refused unless the administrator allows "
            "their network.",
            json_schema_extra=rules(
                rule(
                    "[int(self.substring(self.lastIndexOf(':') + 1))]"
                    ".all(port, port >= 1 && port <= 65535)",
                    "address ends with a port from 1 to 65535",
                )
            ),
        ),
    ]
    tls: Tls = "VerifyFull"
    credentials_ref: Annotated[
        LocalObjectReference | None,
        Field(
            description="Secret with the keys password and, if wanted, username and ca.crt. "
            "Without it no password is sent."
        ),
    ] = None

    @property
    def host(self) -> str:
        """Give the name or address, an IPv6 address without its brackets."""
        return self.address.rpartition(":")[0].strip("[]")

    @property
    def port(self) -> int:
        """Give the port."""
        return int(self.address.rpartition(":")[2])


class FilledStore(OnlineStore):
    """A server that a Dataset's newest rows are written to."""

    ttl: Annotated[
        Duration | None,
        Field(
            examples=["7d"],
            description="How long after its own timestamp a row is kept there; older ones are not "
            "written. Default: until a newer version has no row of its key.",
            json_schema_extra=rules(
                rule(
                    "self.matches('[1-9]')",
                    "ttl keeps nothing: make it longer than 0s, or leave it out",
                )
            ),
        ),
    ] = None


class OnlineStatus(StatusModel):
    """What the online store holds of the data set, as was last seen, and what is done about it."""

    version: Annotated[
        Digest | None, Field(description="The version whose newest rows are all there.")
    ] = None
    rows: Annotated[
        int | None, Field(description="How many keys had a row there, when it was written.")
    ] = None
    newest_time: Annotated[
        datetime | None, Field(description="The timestamp of the newest row there.")
    ] = None
    materialized_at: Annotated[
        datetime | None, Field(description="When its rows had all been written.")
    ] = None
    next_time: Annotated[
        datetime | None,
        Field(description="When a row becomes known that the version holds already."),
    ] = None
    reason: Annotated[
        str, Field(max_length=64, description="Ready, or why not, as a documented reason.")
    ]
    message: Annotated[str, Field(max_length=4096, description="Why, in words, and the way out.")]
    sequence: Annotated[
        int, Field(description="Number of the last Job; one of a smaller number may not write.")
    ] = 0
    goal: Annotated[
        str | None, Field(max_length=64, description="Hash of what the last Job was to write.")
    ] = None
    attempts: Annotated[int, Field(description="How many Jobs were started for it.")] = 0
    last_failure_time: Annotated[
        datetime | None, Field(description="When the last of them failed.")
    ] = None
    refused: Annotated[
        bool | None,
        Field(description="Whether it failed for what no other try mends."),
    ] = None
    template: Annotated[
        str | None,
        Field(max_length=64, description="Hash of the template it failed with; another is tried."),
    ] = None
