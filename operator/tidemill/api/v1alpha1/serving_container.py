"""A serving image of the user's own, with Tidemill's server before it."""

from typing import Annotated, Literal

from pydantic import ConfigDict, Field

from tidemill.api.v1alpha1.prepare import MAX_WORDS, Variable, Words
from tidemill.api.v1alpha1.types import ApiModel, rule, rules

# Where the server before it listens: over REST, and over gRPC beside other models.
SERVERS_PORTS = (8080, 8082, 9000)
READY_PATHS = {"OpenInference": "/v2/health/ready", "Http": "/"}

# What cannot be had together with a container, each with the reason.
HAVE_NO_CONTAINER = (
    rule(
        "!has(self.model) || !has(self.model.container) || self.grpc == 'Disabled'",
        "a container is asked over REST alone: remove grpc",
    ),
    rule(
        "!has(self.model) || !has(self.model.container) || self.explain == 'Disabled'",
        "what features add to a container's answers is not known: remove explain",
    ),
    rule(
        "!has(self.model) || !has(self.model.container) || !has(self.features)",
        "a container looks features up by itself: remove features",
    ),
    rule(
        "!has(self.model) || !has(self.model.container) || !has(self.traces)",
        "a container records its traces by itself, the context is passed on: remove traces",
    ),
    rule(
        "!has(self.model) || !has(self.model.container) || !has(self.access) || "
        "!has(self.access.oidc) || has(self.access.oidc.keysRef)",
        "before a container access.oidc needs keysRef: else its pod, and so the container, would "
        "reach outside",
    ),
    rule(
        "!has(self.model) || !has(self.model.container) || self.runtime == 'Auto'",
        "a container is its own runtime: remove runtime",
    ),
)

AnswerTimeout = Annotated[
    str,
    Field(
        pattern=r"^([0-9]{1,5}(ms|s|m|h))+$",
        max_length=16,
        examples=["60s"],
        json_schema_extra=rules(
            rule(
                "duration(self) >= duration('1s') && duration(self) <= duration('1h')",
                "timeout is from 1s to 1h: who asks waits for it",
            )
        ),
    ),
]


class ServingVariable(Variable):
    """One variable of the container's environment."""

    value: Annotated[
        str,
        Field(max_length=4096, description="Its value, for all to read: no place for secrets."),
    ]


class ServingContainer(ApiModel):
    """An image that answers by HTTP; in it no key, no token and no Secret of Tidemill's."""

    model_config = ConfigDict(
        json_schema_extra=rules(
            rule(
                "self.image.matches('^[^@\\\\s]+@sha256:[0-9a-f]{64}$') && "
                "!self.image.contains('://')",
                "image must be named by digest (name@sha256:…): its digest is the model's version",
            ),
            rule(
                "!(self.port in [8080, 8082, 9000])",
                "ports 8080, 8082 and 9000 are those of the server before it: listen on another",
            ),
        )
    )

    image: Annotated[
        str,
        Field(
            min_length=1,
            max_length=512,
            examples=["registry.example/peaks@sha256:…"],
            description="The image, by digest. It is pulled as the namespace's default "
            "ServiceAccount may.",
        ),
    ]
    command: Annotated[Words, Field(description="The entry point. Default: the image's.")] = None
    args: Annotated[Words, Field(description="Its arguments. Default: the image's.")] = None
    env: Annotated[
        list[ServingVariable] | None,
        Field(
            min_length=1,
            max_length=MAX_WORDS,
            description="Variables of its environment, beside PORT, TIDEMILL_MODEL_NAME and HOME, "
            "which is /tmp.",
            json_schema_extra={
                "x-kubernetes-list-type": "map",
                "x-kubernetes-list-map-keys": ["name"],
            },
        ),
    ] = None
    port: Annotated[
        int,
        Field(
            ge=1,
            le=65535,
            description="The port that it listens on, of 127.0.0.1 at least. Not 8080, 8082 "
            "or 9000, which are the server's in the same pod.",
        ),
    ] = 8081
    protocol: Annotated[
        Literal["OpenInference", "Http"],
        Field(
            description="What it speaks. OpenInference: /v2 and what is below /v2/models is passed "
            "on. Http: any path is, but /v2/health/live, /v2/health/ready and /metrics."
        ),
    ] = "OpenInference"
    ready: Annotated[
        str | None,
        Field(
            pattern=r"^/[A-Za-z0-9._~!$&'()*+,;=:@%/?-]*$",
            max_length=1024,
            description="The path at which it answers GET with 2xx once it is ready. Default: "
            "/v2/health/ready for OpenInference, / for Http.",
        ),
    ] = None
    timeout: Annotated[
        AnswerTimeout,
        Field(description="How long it may take for one answer; then who asked is told 504."),
    ] = "60s"

    @property
    def ready_path(self) -> str:
        """Give the path, whether it is written or not."""
        return self.ready or READY_PATHS[self.protocol]

    @property
    def digest(self) -> str:
        """Give the digest of the image; nothing where it has none."""
        return self.image.rpartition("@")[2] if "@" in self.image else ""
