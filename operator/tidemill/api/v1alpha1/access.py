"""Who may ask a model, from which pages, and over what."""

from typing import Annotated, Literal

from pydantic import ConfigDict, Field

from tidemill.api.v1alpha1.meta import LocalObjectReference
from tidemill.api.v1alpha1.types import ApiModel, rule, rules

PRINTABLE = r"^[!-~]([ -~]*[!-~])?$"
Audience = Annotated[
    str, Field(pattern=PRINTABLE, max_length=256, description="An audience, in ASCII.")
]
Subject = Annotated[
    str, Field(pattern=PRINTABLE, max_length=256, description="Whose token it is, in ASCII.")
]
Origin = Annotated[
    str,
    Field(
        pattern=r"^(\*|https?://[a-z0-9.:\[\]-]+)$",
        max_length=256,
        description="Scheme, host and port as browsers send them, in lower case.",
    ),
]


class Oidc(ApiModel):
    """An issuer whose signed tokens count, as OpenID Connect has them; a cluster is one, too."""

    model_config = ConfigDict(
        json_schema_extra=rules(
            rule(
                "!(has(self.keysRef) && has(self.authoritiesRef))",
                "authoritiesRef is for an issuer that is asked: with keysRef it is not",
            )
        )
    )

    issuer: Annotated[
        str,
        Field(
            pattern=r"^https://[^\s/?#@]+(/[^\s?#]*)?$",
            max_length=512,
            description="The issuer's name, as its tokens have it. Without keysRef its keys are "
            "asked of it, by OpenID Connect Discovery.",
        ),
    ]
    audiences: Annotated[
        list[Audience],
        Field(
            min_length=1,
            max_length=16,
            description="For one of these a token must be.",
            json_schema_extra={"x-kubernetes-list-type": "set"},
        ),
    ]
    subjects: Annotated[
        list[Subject] | None,
        Field(
            min_length=1,
            max_length=256,
            description="Who may ask, such as system:serviceaccount:shop:till; by default whoever "
            "the issuer gives a token for the audience.",
            json_schema_extra={"x-kubernetes-list-type": "set"},
        ),
    ] = None
    keys_ref: Annotated[
        LocalObjectReference | None,
        Field(
            description="A Secret whose jwks.json has the issuer's public keys, so that it is not "
            "asked: `kubectl get --raw /openid/v1/jwks` gives a cluster's."
        ),
    ] = None
    authorities_ref: Annotated[
        LocalObjectReference | None,
        Field(
            description="A Secret whose ca.crt has the authorities that certify the issuer's "
            "address; by default the public ones."
        ),
    ] = None


class Access(ApiModel):
    """Who may ask. With tokens or oidc, whoever bears a token that counts for either."""

    model_config = ConfigDict(
        json_schema_extra=rules(
            rule(
                "has(self.tokensRef) || has(self.oidc) || has(self.origins)",
                "access must name tokensRef, oidc or origins",
            )
        )
    )

    tokens_ref: Annotated[
        LocalObjectReference | None,
        Field(
            description="A Secret whose every key is the name of a caller, its value the token, of "
            "16 characters or more, or sha256: and the digest of it. Changes hold within minutes."
        ),
    ] = None
    oidc: Annotated[Oidc | None, Field(description="An issuer whose tokens count.")] = None
    origins: Annotated[
        list[Origin] | None,
        Field(
            min_length=1,
            max_length=32,
            description="From whose pages browsers may ask, such as https://shop.example.com, or "
            "* for all; by default from the model's own page only.",
            json_schema_extra={"x-kubernetes-list-type": "set"},
        ),
    ] = None


class Tls(ApiModel):
    """TLS for everything that is asked but health and metrics."""

    secret_ref: Annotated[
        LocalObjectReference,
        Field(
            description="A Secret of the type kubernetes.io/tls: tls.crt and tls.key. A renewed "
            "one is taken up within minutes, without a new pod."
        ),
    ]
    clients: Annotated[
        Literal["Any", "Required"],
        Field(
            description="Required: clients show a certificate, signed by an authority of ca.crt in "
            "the same Secret. Any: they need none."
        ),
    ] = "Any"
