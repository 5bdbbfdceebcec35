"""Signed packages: whose key signs what a run leaves, and whose signature a server believes."""

from typing import Annotated

from pydantic import Field

from tidemill.api.v1alpha1.types import (
    ApiModel,
    Digest,
    ObjectName,
    StatusModel,
    rule,
    rules,
)

SecretKey = Annotated[str, Field(pattern=r"^[-._a-zA-Z0-9]+$", max_length=253)]
IS_PEM = (
    "self.trim().startsWith('-----BEGIN PUBLIC KEY-----') && "
    "self.trim().endsWith('-----END PUBLIC KEY-----')"
)
# A public key of P-256 begins so, whatever its point is.
IS_P256 = "self.contains('MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAE')"
MAX_KEYS = 8


class SigningKey(ApiModel):
    """A private key in a Secret."""

    name: Annotated[ObjectName, Field(description="Name of the Secret, in the same namespace.")]
    key: Annotated[
        SecretKey,
        Field(description="Its key with the private key: PEM, elliptic curve P-256."),
    ] = "private.pem"
    password_key: Annotated[
        SecretKey | None,
        Field(description="Its key with the password, where the private key is encrypted."),
    ] = None


class Signing(ApiModel):
    """By whom the package is signed, as OpenSSF model signing has it."""

    key_ref: Annotated[
        SigningKey,
        Field(description="The private key. No container but the one that packs sees it."),
    ]


class Verification(ApiModel):
    """Whose signature is believed."""

    public_keys: Annotated[
        list[
            Annotated[
                str,
                Field(
                    max_length=512,
                    description="A public key in PEM.",
                    json_schema_extra=rules(
                        rule(IS_PEM, "a public key is one PEM: -----BEGIN PUBLIC KEY-----…"),
                        rule(
                            IS_P256,
                            "the key is not of the elliptic curve P-256: see `openssl ecparam "
                            "-name prime256v1 -genkey`",
                        ),
                    ),
                ),
            ]
        ],
        Field(
            min_length=1,
            max_length=MAX_KEYS,
            description="Elliptic curve P-256, as PEM; one of them must have signed the package.",
            json_schema_extra={"x-kubernetes-list-type": "atomic"},
        ),
    ]


class SignedBy(StatusModel):
    """Who signed a package."""

    key_id: Annotated[
        Digest,
        Field(description="Digest of the public key's PEM: `openssl ec -pubout | sha256sum`."),
    ]
