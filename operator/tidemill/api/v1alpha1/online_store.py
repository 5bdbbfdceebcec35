"""Where an online store is: the server that keeps the newest features of each key."""

from typing import Annotated, Literal

from pydantic import Field

from tidemill.api.v1alpha1.meta import LocalObjectReference
from tidemill.api.v1alpha1.types import ApiModel, rule, rules

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
                    "int(self.substring(self.lastIndexOf(':') + 1)) >= 1 && "
                    "int(self.substring(self.lastIndexOf(':') + 1)) <= 65535",
                    "address ends with a port from 1 to 65535",
                )
            ),
        ),
    ]
    tls: Annotated[
        Literal["VerifyFull", "Require", "Disable"],
        Field(
            description="VerifyFull: encrypted, and the certificate proves the host, by the key "
            "ca.crt of the Secret where it has one. Require: encrypted to whoever answers. "
            "Disable: in the open."
        ),
    ] = "VerifyFull"
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
