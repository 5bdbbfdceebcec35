"""A model that exists: brought into a package as it is, and judged like one that was fitted."""

from typing import Annotated, Literal

from pydantic import ConfigDict, Field

from tidemill.api.v1alpha1.bucket_fields import Credentials, Endpoint, PathStyle, Region
from tidemill.api.v1alpha1.types import ApiModel, Digest, rule, rules

ModelFormat = Literal["Auto", "ONNX", "XGBoost", "LightGBM", "Skops", "MLflow"]
# Formats whose files need nothing that every runner has not.
PLAIN_FORMATS = ("ONNX", "Skops")


class ModelPlace(ApiModel):
    """A file in a bucket, or a folder of MLflow's."""

    model_config = ConfigDict(
        json_schema_extra=rules(
            rule("has(self.key) != has(self.prefix)", "set key (a file) or prefix (a folder)"),
            rule(
                "!has(self.digest) || has(self.key)",
                "digest is that of one file: it needs key",
            ),
        )
    )

    endpoint: Endpoint = None
    region: Region = None
    bucket: Annotated[
        str,
        Field(
            pattern=r"^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$",
            max_length=63,
            description="Bucket that holds the model.",
        ),
    ]
    key: Annotated[
        str | None, Field(min_length=1, max_length=1024, description="Key of the model's file.")
    ] = None
    prefix: Annotated[
        str | None,
        Field(
            min_length=1,
            max_length=1024,
            description="What the keys of an MLflow model begin with: where its MLmodel lies.",
        ),
    ] = None
    digest: Annotated[
        Digest | None,
        Field(
            description="Digest that the file must have. Without it a run has no cacheKey, since "
            "the file may be another one each time."
        ),
    ] = None
    path_style: PathStyle = None
    credentials_ref: Credentials = None


class ImportedModel(ApiModel):
    """A model that was fitted elsewhere. Nothing is fitted; pickles are refused."""

    model_config = ConfigDict(
        json_schema_extra=rules(
            rule(
                "!has(self.s3.prefix) || self.format in ['Auto', 'MLflow']",
                "prefix is of an MLflow model: other formats are one file, named by key",
            ),
            rule(
                "!has(self.s3.key) || self.format != 'MLflow'",
                "an MLflow model is a folder: name it by prefix",
            ),
        )
    )

    s3: Annotated[ModelPlace, Field(description="Where the model lies.")]
    format: Annotated[
        ModelFormat,
        Field(
            description="What it is: ONNX (.onnx), XGBoost (.ubj, .json), LightGBM (.txt), Skops "
            "(.skops), or MLflow (a folder with an MLmodel). Auto: what its first bytes say."
        ),
    ] = "Auto"
    classes: Annotated[
        list[Annotated[str, Field(max_length=1024, description="A class, as text.")]] | None,
        Field(
            min_length=2,
            max_length=1000,
            description="For XGBoost and LightGBM, which number classes from 0 on: what they are, "
            "in that order; needed where the target is not these numbers. For ONNX, those of its "
            "probabilities; default: the target's, sorted.",
            json_schema_extra={"x-kubernetes-list-type": "atomic"},
        ),
    ] = None
