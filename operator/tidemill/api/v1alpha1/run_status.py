"""What became of a TrainingRun, as its status says it."""

from datetime import datetime
from typing import Annotated, Literal

from pydantic import Field

from tidemill.api.v1alpha1.join import MAX_TABLES, JoinedVersion
from tidemill.api.v1alpha1.judgement import Judgement
from tidemill.api.v1alpha1.meta import CommonStatus
from tidemill.api.v1alpha1.retry import Attempt
from tidemill.api.v1alpha1.run_cache import CachedFrom
from tidemill.api.v1alpha1.search import SearchSummary
from tidemill.api.v1alpha1.signing import SignedBy
from tidemill.api.v1alpha1.types import (
    Digest,
    StatusModel,
)

MAX_LOG_LINES = 20


class AppliedRun(StatusModel):
    """What was resolved when the run started."""

    dataset_version: Annotated[Digest, Field(description="The version trained on.")]
    tables: Annotated[
        list[JoinedVersion] | None,
        Field(
            max_length=MAX_TABLES,
            description="The versions joined, in the order of spec.join.tables.",
            json_schema_extra={"x-kubernetes-list-type": "atomic"},
        ),
    ] = None
    image: Annotated[str, Field(max_length=1024, description="The runner image, by digest.")]
    spec_hash: Annotated[
        str, Field(max_length=64, description="Hash of the spec that the Job was made from.")
    ]
    memory: Annotated[
        str | None,
        Field(max_length=32, description="Its memory, where retry.growMemory gave it more."),
    ] = None
    signing_secret: Annotated[
        str | None,
        Field(max_length=128, description="Which state of the Secret of spec.signing it found."),
    ] = None


class RunProgress(StatusModel):
    """How far the run is."""

    percent: Annotated[int, Field(ge=0, le=100, description="Share of the work done.")]
    message: Annotated[str, Field(max_length=256, description="What is being done.")]
    eta: Annotated[
        str | None, Field(max_length=32, description="About how long it still takes.")
    ] = None
    step: Annotated[
        str | None, Field(max_length=64, description="Which part of the work it is at.")
    ] = None
    metric: Annotated[
        str | None,
        Field(max_length=64, description="What it measured last, such as accuracy=0.91."),
    ] = None


class MetricValue(StatusModel):
    """A metric on the rows held out, with its 95 % confidence interval."""

    name: Annotated[str, Field(max_length=64, description="Name, as scikit-learn has it.")]
    value: Annotated[str, Field(max_length=32, description="Estimate, as a decimal.")]
    low: Annotated[str | None, Field(max_length=32, description="Lower end of the interval.")] = (
        None
    )
    high: Annotated[str | None, Field(max_length=32, description="Upper end of the interval.")] = (
        None
    )
    rows: Annotated[int, Field(description="Rows it was measured on.")]


class Artifact(StatusModel):
    """The model package in the store."""

    uri: Annotated[str, Field(max_length=2048, description="Address of the package.")]
    digest: Annotated[Digest, Field(description="Digest of its manifest.")]
    bytes: Annotated[int | None, Field(description="Its size in bytes.")] = None
    signed: Annotated[
        SignedBy | None, Field(description="Who signed it; absent where nobody did.")
    ] = None
    trees: Annotated[
        Literal["xgboost", "lightgbm"] | None,
        Field(description="The library whose trees are in it; the server's image must have it."),
    ] = None
    onnx: Annotated[bool | None, Field(description="Whether the model is in it as ONNX, too.")] = (
        None
    )


class Failure(StatusModel):
    """Why the run failed."""

    reason: Annotated[str, Field(max_length=64, description="One of the documented reasons.")]
    message: Annotated[str, Field(max_length=4096, description="In words, with the way out.")]
    exit_code: Annotated[int | None, Field(description="Exit code of the container.")] = None
    log: Annotated[
        list[Annotated[str, Field(max_length=512, description="One line.")]] | None,
        Field(
            max_length=MAX_LOG_LINES,
            description="The last lines of the log.",
            json_schema_extra={"x-kubernetes-list-type": "atomic"},
        ),
    ] = None


class TrainingRunStatus(CommonStatus):
    """What became of the run."""

    applied: Annotated[AppliedRun | None, Field(description="What was resolved at the start.")] = (
        None
    )
    job: Annotated[str | None, Field(max_length=253, description="Name of its Job.")] = None
    cache_key: Annotated[
        str | None,
        Field(max_length=64, description="Digest of all inputs: runs with the same are the same."),
    ] = None
    cached_from: Annotated[
        CachedFrom | None, Field(description="Whose result was taken; there is no Job then.")
    ] = None
    progress: Annotated[RunProgress | None, Field(description="How far it is.")] = None
    attempt: Annotated[
        Attempt | None, Field(description="Which attempt it is at, and why; absent at the first.")
    ] = None
    metrics: Annotated[
        list[MetricValue] | None,
        Field(
            max_length=32,
            description="What was measured on the rows held out.",
            json_schema_extra={
                "x-kubernetes-list-type": "map",
                "x-kubernetes-list-map-keys": ["name"],
            },
        ),
    ] = None
    score: Annotated[
        str | None,
        Field(max_length=64, description="The first metric in short, such as accuracy=0.735."),
    ] = None
    judgement: Annotated[
        Judgement | None,
        Field(description="How good that is: beside simple models, between groups, in doubt."),
    ] = None
    search: Annotated[SearchSummary | None, Field(description="What came of the search.")] = None
    artifact: Annotated[Artifact | None, Field(description="The model package.")] = None
    report: Annotated[
        str | None, Field(max_length=2048, description="Address of the HTML report.")
    ] = None
    failure: Annotated[Failure | None, Field(description="Why it failed.")] = None
    started_at: Annotated[datetime | None, Field(description="When the Job was created.")] = None
    completed_at: Annotated[datetime | None, Field(description="When the run ended.")] = None
