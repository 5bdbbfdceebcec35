"""Several models in one server: the list of a spec, and how each of them stands in a status."""

from typing import Annotated

from pydantic import ConfigDict, Field

from tidemill.api.v1alpha1.signing import Verification
from tidemill.api.v1alpha1.types import (
    ApiModel,
    Digest,
    ObjectName,
    Quantity,
    StatusModel,
    rule,
    rules,
)

MAX_MODELS = 32
MAX_NAME = 63
MAX_URI = 2048

# What goes with one model alone, each with the way out.
HAVE_NO_LIST = (
    rule(
        "has(self.model) != has(self.models)",
        "exactly one of model and models must be set: one model, or a list in one server",
    ),
    rule(
        "!has(self.models) || !has(self.features)",
        "features are looked up for one model: remove features, or serve that model by itself",
    ),
)

PackageUri = Annotated[
    str, Field(pattern=r"^s3://[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]/models/\S+/$", max_length=MAX_URI)
]
ModelName = Annotated[
    str, Field(pattern=r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$", min_length=1, max_length=MAX_NAME)
]


class ModelLimits(ApiModel):
    """Limits of one model; those of the server hold beside them."""

    model_config = ConfigDict(
        json_schema_extra=rules(
            rule(
                "!has(self.memory) || string(self.memory).matches('^[0.]*[1-9]')",
                "no model loads without memory: name more than 0, or leave memory out",
            )
        )
    )

    rows: Annotated[int | None, Field(ge=1, le=1_000_000, description="Rows in one request.")] = (
        None
    )
    in_flight: Annotated[
        int | None, Field(ge=1, le=10_000, description="Requests answered at a time.")
    ] = None
    memory: Annotated[
        Quantity | None,
        Field(
            description="Memory that it may take while it is tried first. What it takes "
            "afterwards is of the pod, which all models share."
        ),
    ] = None


class ServedModel(ApiModel):
    """One model of several; exactly one of `run`, or `uri` with `digest`."""

    model_config = ConfigDict(
        json_schema_extra=rules(
            rule(
                "has(self.run) != has(self.uri)",
                "each of models must name exactly one package: run, or uri with digest",
            ),
            rule("has(self.uri) == has(self.digest)", "uri and digest are set together"),
        )
    )

    name: Annotated[
        ModelName,
        Field(description="It answers below /v2/models/NAME/ and /models/NAME/."),
    ]
    run: Annotated[ObjectName | None, Field(description="A TrainingRun in the same namespace.")] = (
        None
    )
    uri: Annotated[
        PackageUri | None,
        Field(
            description="Address of a model package in Tidemill's store, with a slash at its end."
        ),
    ] = None
    digest: Annotated[Digest | None, Field(description="Digest of the package's manifest.")] = None
    verification: Annotated[
        Verification | None,
        Field(
            description="Whose signature the server demands before it reads the package; by "
            "default the digest alone is proved."
        ),
    ] = None
    limits: Annotated[ModelLimits | None, Field(description="Limits of this model alone.")] = None


class ModelState(StatusModel):
    """One model of several, as the pods tell of it."""

    name: Annotated[str, Field(max_length=MAX_NAME, description="Which one.")]
    version: Annotated[
        str | None, Field(max_length=12, description="The first twelve digits of the digest.")
    ] = None
    uri: Annotated[str | None, Field(max_length=MAX_URI, description="Address of the package.")] = (
        None
    )
    digest: Annotated[
        Digest | None,
        Field(
            description="Digest of the package wanted; while that is not known, of the one that is "
            "kept, if any."
        ),
    ] = None
    ready: Annotated[
        str,
        Field(
            max_length=16,
            description="Pods that answer with that digest of those that were asked, 8 at most.",
        ),
    ]
    reason: Annotated[
        str,
        Field(max_length=64, description="Ready, Loading, or why not, as a documented reason."),
    ]
    message: Annotated[
        str | None, Field(max_length=1024, description="Why not, in words, and the way out.")
    ] = None
