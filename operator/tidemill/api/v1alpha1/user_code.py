"""Code of the user's that fits a model: a Python function, or a program in any image.

Either runs in a container of its own in the middle of the run's pod, so what may be set of it is
what it is, where it comes from and what it is told; resources, variables and volumes come from
`spec.template` as for any run.
"""

from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field

from tidemill.api.v1alpha1.bucket_fields import Endpoint, Region
from tidemill.api.v1alpha1.meta import LocalObjectReference
from tidemill.api.v1alpha1.pod_volumes import ConfigKey
from tidemill.api.v1alpha1.prepare import Program
from tidemill.api.v1alpha1.types import ApiModel, Digest, ObjectName, rule, rules

MAX_RANKS = 64
PYTHON_FILE = r"^[A-Za-z0-9_.-]+(/[A-Za-z0-9_.-]+)*\.py$"

NEED_STEPS = (
    rule(
        "has(self.estimator.sklearn) || !has(self.search)",
        "search puts parameters into the steps of estimator.sklearn: a script or a container "
        "searches by itself, on the rows that it is given",
    ),
    rule(
        "has(self.estimator.sklearn) || !has(self.evaluation) || !has(self.evaluation.explain)"
        " || !self.evaluation.explain.learningCurve",
        "evaluation.explain.learningCurve fits anew on fewer rows: it needs estimator.sklearn",
    ),
)

Params = Annotated[
    dict[str, Any] | None,
    Field(
        description="Parameters that it is given: any JSON.",
        json_schema_extra={"x-kubernetes-preserve-unknown-fields": True},
    ),
]
Parallelism = Annotated[
    int,
    Field(
        ge=1,
        le=MAX_RANKS,
        description="Pods that run it at the same time, each with all rows to train on, with a "
        "rank and with the names of the others as PyTorch's and MPI's launchers expect. The model "
        "of rank 0 is the run's; its end is the run's.",
    ),
]
Expected = Annotated[
    Digest | None,
    Field(
        description="Digest that the file must have, as sha256:<64 hexadecimal digits>. Without it "
        "nobody knows before the run what a ConfigMap will hold, so that its result is not taken "
        "for another run, nor another's for it."
    ),
]


class ConfigMapScript(ApiModel):
    """A key of a ConfigMap of the namespace."""

    name: Annotated[ObjectName, Field(description="Name of the ConfigMap.")]
    key: ConfigKey = "train.py"
    digest: Expected = None


class GitScript(ApiModel):
    """A file of a Git repository, at one commit."""

    url: Annotated[
        str,
        Field(
            pattern=r"^https://[A-Za-z0-9._:\[\]-]+/[A-Za-z0-9._~/+-]+$",
            max_length=1024,
            description="Repository, by https. Addresses outside of the public internet need the "
            "administrator, as those of Datasets do.",
        ),
    ]
    commit: Annotated[
        str,
        Field(
            pattern=r"^[0-9a-f]{40}$",
            max_length=40,
            description="The commit, by its 40 hexadecimal digits; what is fetched is proved to "
            "be that.",
        ),
    ]
    path: Annotated[
        str,
        Field(pattern=PYTHON_FILE, max_length=512, description="Path of the file in it."),
    ] = "train.py"
    credentials_ref: Annotated[
        LocalObjectReference | None,
        Field(description="Secret with the keys username and password (or a token as password)."),
    ] = None


class S3Script(ApiModel):
    """An object in a bucket."""

    endpoint: Endpoint = None
    region: Region = None
    bucket: Annotated[
        str,
        Field(
            pattern=r"^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$",
            max_length=63,
            description="Bucket that holds the file.",
        ),
    ]
    key: Annotated[str, Field(min_length=1, max_length=1024, description="Key of the object.")]
    digest: Annotated[
        Digest,
        Field(description="Digest that it must have, as sha256:<64 hexadecimal digits>."),
    ]
    path_style: Annotated[
        bool | None,
        Field(description="Address the bucket in the path; default: as in Tidemill's store."),
    ] = None
    credentials_ref: Annotated[
        LocalObjectReference | None,
        Field(
            description="Secret with AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and, if need be, "
            "AWS_SESSION_TOKEN. Default: read as anybody."
        ),
    ] = None


class Script(ApiModel):
    """A Python file with a function that fits a model and returns it."""

    model_config = ConfigDict(
        json_schema_extra=rules(
            rule(
                "(has(self.configMap) ? 1 : 0) + (has(self.git) ? 1 : 0) + "
                "(has(self.s3) ? 1 : 0) == 1",
                "a script is in exactly one of configMap, git, s3",
            ),
            rule(
                "!has(self.image) || self.image.matches('^[^@\\\\s]+@sha256:[0-9a-f]{64}$')",
                "image must be named by digest (name@sha256:…), so that a record stays one",
            ),
        )
    )

    config_map: Annotated[
        ConfigMapScript | None, Field(description="A key of a ConfigMap of the namespace.")
    ] = None
    git: Annotated[GitScript | None, Field(description="A file of a Git repository.")] = None
    s3: Annotated[S3Script | None, Field(description="An object in a bucket.")] = None
    function: Annotated[
        str,
        Field(
            pattern=r"^[A-Za-z_][A-Za-z0-9_]*$",
            max_length=128,
            description="The function, called as train(data, params, context). It returns a "
            "fitted scikit-learn estimator or Pipeline, the last step of which may be XGBoost's "
            "or LightGBM's, or ONNX (bytes or a path).",
        ),
    ] = "train"
    params: Params = None
    image: Annotated[
        str | None,
        Field(
            min_length=1,
            max_length=512,
            description="Image with python3 to run it in, by digest, where it needs more than "
            "Tidemill's own has (scikit-learn, numpy, pyarrow, XGBoost, LightGBM). Its "
            "scikit-learn must be of the same release as Tidemill's.",
        ),
    ] = None
    parallelism: Parallelism = 1


class TrainingContainer(Program):
    """A program that reads a data file and writes a model file."""

    params: Params = None
    format: Annotated[
        Literal["Parquet", "CSV"],
        Field(description="What the rows to train on are written as: train.parquet or train.csv."),
    ] = "Parquet"
    parallelism: Parallelism = 1
