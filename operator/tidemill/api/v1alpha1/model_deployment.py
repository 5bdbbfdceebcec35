"""ModelDeployment: a model version behind a stable address, replaced without a lost request.

Or several models behind one, each replaced within the servers that run.
"""

from typing import Annotated, ClassVar, Literal

from pydantic import ConfigDict, Field

from tidemill.api.v1alpha1.access import Access, Tls
from tidemill.api.v1alpha1.meta import CommonStatus, Template
from tidemill.api.v1alpha1.onnx import ServingRuntime
from tidemill.api.v1alpha1.served_models import (
    HAVE_NO_LIST,
    MAX_MODELS,
    ModelState,
    PackageUri,
    ServedModel,
)
from tidemill.api.v1alpha1.serving_container import HAVE_NO_CONTAINER, ServingContainer
from tidemill.api.v1alpha1.serving_features import ServingFeatures
from tidemill.api.v1alpha1.signing import Verification
from tidemill.api.v1alpha1.traces import Traces
from tidemill.api.v1alpha1.types import ApiModel, Digest, ObjectName, StatusModel, rule, rules


class ModelReference(ApiModel):
    """The model to serve; exactly one of `run`, `uri` with `digest`, or `container`."""

    model_config = ConfigDict(
        json_schema_extra=rules(
            rule(
                "(has(self.run) ? 1 : 0) + (has(self.uri) ? 1 : 0) + "
                "(has(self.container) ? 1 : 0) == 1",
                "exactly one model must be named: run, uri with digest, or container",
            ),
            rule("has(self.uri) == has(self.digest)", "uri and digest are set together"),
            rule(
                "!has(self.container) || !has(self.verification)",
                "verification is of packages, and a container is known by its image's digest: "
                "remove verification",
            ),
        )
    )

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
    container: Annotated[
        ServingContainer | None,
        Field(
            description="An image of the user's own that answers by HTTP. The server stands before "
            "it with its limits, ids, metrics and the drain at its end."
        ),
    ] = None
    verification: Annotated[
        Verification | None,
        Field(
            description="Whose signature the server demands before it reads a package; by default "
            "the digest alone is proved."
        ),
    ] = None


class Rollout(ApiModel):
    """How a new version takes over."""

    strategy: Annotated[
        Literal["Replace"],
        Field(
            description="Replace: the new version starts beside the old one, answers, takes over; "
            "then the old one drains and goes."
        ),
    ] = "Replace"


class ModelDeploymentSpec(ApiModel):
    """Which model is served, and how."""

    model_config = ConfigDict(json_schema_extra=rules(*HAVE_NO_LIST, *HAVE_NO_CONTAINER))

    model: Annotated[
        ModelReference | None, Field(description="The model to serve, where it is one.")
    ] = None
    models: Annotated[
        list[ServedModel] | None,
        Field(
            min_length=1,
            max_length=MAX_MODELS,
            description="Several models in one server, instead of model: one process in each pod "
            "serves them all. A change of the list makes no new pods, it reaches those that run "
            "within two minutes.",
            json_schema_extra={
                "x-kubernetes-list-type": "map",
                "x-kubernetes-list-map-keys": ["name"],
            },
        ),
    ] = None
    replicas: Annotated[int, Field(ge=0, le=1000, description="Number of server pods.")] = 1
    rollout: Annotated[Rollout | None, Field(description="How a new version takes over.")] = None
    runtime: Annotated[
        ServingRuntime,
        Field(
            description="What answers. Auto: ONNX Runtime where the package has the model in ONNX, "
            "else the library that trained it. Native: that library in any case."
        ),
    ] = "Auto"
    features: Annotated[
        ServingFeatures | None,
        Field(
            description="For a model that joined feature tables: requests may send the key, and "
            "the server looks the features up. Without it they are sent like all others."
        ),
    ] = None
    template: Annotated[
        Template | None, Field(description="What a server pod asks of the cluster.")
    ] = None
    page: Annotated[
        Literal["Enabled", "Disabled"],
        Field(
            description="The page at the address itself, on which people look at the model and try "
            "it; a change of it comes up as a new version does. A container has none."
        ),
    ] = "Enabled"
    grpc: Annotated[
        Literal["Enabled", "Disabled"],
        Field(
            description="The same protocol over gRPC, on port 9000 of the address; a change of it "
            "comes up as a new version does."
        ),
    ] = "Disabled"
    access: Annotated[
        Access | None,
        Field(
            description="Who may ask, and from which pages; by default whoever reaches the "
            "address, and no page but the model's own. A change comes up as a new version does."
        ),
    ] = None
    tls: Annotated[
        Tls | None,
        Field(
            description="TLS: the address is https, on port 443, and gRPC's port speaks it too. "
            "Health and metrics are told without it, on port 8082 of each pod."
        ),
    ] = None
    explain: Annotated[
        Literal["Enabled", "Disabled"],
        Field(
            description="Whether requests may ask what each feature adds to an answer. Where they "
            "may, the pipeline answers rather than ONNX Runtime: contributions are exact of that."
        ),
    ] = "Disabled"
    traces: Annotated[
        Traces | None,
        Field(
            description="Record requests as OpenTelemetry's traces and send them to a collector; a "
            "change of it comes up as a new version does. Without it nothing is recorded."
        ),
    ] = None
    suspend: Annotated[
        bool, Field(description="Leave what runs as it is and change nothing while true.")
    ] = False

    @property
    def container(self) -> ServingContainer | None:
        """Give the user's container, where one is served."""
        return self.model.container if self.model else None

    @property
    def verification(self) -> Verification | None:
        """Give whose signature is demanded of the one model; each of several has its own."""
        return self.model.verification if self.model else None


class ServedVersion(StatusModel):
    """A model version, or several models, and the pods that serve them."""

    version: Annotated[
        str | None,
        Field(
            max_length=12,
            description="The first twelve digits of the digest; none where it is several models.",
        ),
    ] = None
    digest: Annotated[
        Digest | None,
        Field(description="Digest of the package's manifest, or of the container's image."),
    ] = None
    uri: Annotated[
        str | None,
        Field(max_length=2048, description="Address of the package, or the image's name."),
    ] = None
    deployment: Annotated[str, Field(max_length=253, description="Name of its Deployment.")]
    replicas: Annotated[int, Field(description="Pods wanted.")]
    ready: Annotated[int, Field(description="Pods that answer.")]


class ModelDeploymentStatus(CommonStatus):
    """What is served now."""

    url: Annotated[
        str | None, Field(max_length=1024, description="Stable address inside the cluster.")
    ] = None
    stable: Annotated[
        ServedVersion | None, Field(description="The version that gets the traffic.")
    ] = None
    next: Annotated[
        ServedVersion | None, Field(description="The version on its way to take over.")
    ] = None
    replicas: Annotated[
        str | None, Field(max_length=16, description="Pods ready of pods wanted, such as 2/2.")
    ] = None
    models: Annotated[
        list[ModelState] | None,
        Field(
            max_length=MAX_MODELS,
            description="How each of spec.models stands, as the pods tell that have the traffic.",
            json_schema_extra={
                "x-kubernetes-list-type": "map",
                "x-kubernetes-list-map-keys": ["name"],
            },
        ),
    ] = None
    models_ready: Annotated[
        str | None,
        Field(
            max_length=16,
            description="Models that answer in every pod asked, of those wanted, such as 3/3.",
        ),
    ] = None


def _condition(field: str) -> str:
    return f'.status.conditions[?(@.type=="Ready")].{field}'


class ModelDeployment(ApiModel):
    """A model version, or several, behind a stable address, replaced without a lost request."""

    kind: ClassVar[str] = "ModelDeployment"
    plural: ClassVar[str] = "modeldeployments"
    short_names: ClassVar[tuple[str, ...]] = ("tmdep",)
    columns: ClassVar[tuple[dict[str, str | int], ...]] = (
        {"name": "Ready", "type": "string", "jsonPath": _condition("status")},
        {"name": "Reason", "type": "string", "jsonPath": _condition("reason")},
        {"name": "Version", "type": "string", "jsonPath": ".status.stable.version"},
        {"name": "Models", "type": "string", "jsonPath": ".status.modelsReady"},
        {"name": "Replicas", "type": "string", "jsonPath": ".status.replicas"},
        {"name": "Age", "type": "date", "jsonPath": ".metadata.creationTimestamp"},
        {"name": "URL", "type": "string", "jsonPath": ".status.url", "priority": 1},
        {"name": "Message", "type": "string", "jsonPath": _condition("message"), "priority": 1},
    )

    spec: Annotated[ModelDeploymentSpec, Field(description="Which model is served, and how.")]
    status: Annotated[ModelDeploymentStatus | None, Field(description="What is served now.")] = None
