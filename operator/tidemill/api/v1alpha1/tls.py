"""How a connection to a server of the user's is encrypted, and whom it trusts."""

from typing import Annotated, Literal

from pydantic import Field

Tls = Annotated[
    Literal["VerifyFull", "Require", "Disable"],
    Field(
        description="VerifyFull: encrypted, and the certificate proves the host, by the key "
        "ca.crt of the Secret where it has one. Require: encrypted to whoever answers. "
        "Disable: in the open."
    ),
]
