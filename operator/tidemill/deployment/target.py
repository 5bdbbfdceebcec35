"""What is to be served: a package, an image that has a model, or several models."""

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Target:
    """The model package to serve, or the image that has the model."""

    uri: str
    digest: str
    # Whether its server needs XGBoost or LightGBM; no part of which model it is.
    boosted: bool = field(default=False, compare=False)
    # Whether the package has the model in ONNX; likewise.
    onnx: bool = field(default=False, compare=False)
    # Whether it is several models, told by a list: then it is no package of its own.
    several: bool = False

    @property
    def packaged(self) -> bool:
        """Tell whether it lies in the store, where its server needs keys for it."""
        return self.uri.startswith("s3://")

    @property
    def version(self) -> str:
        """Give the version as people read it."""
        return self.digest.removeprefix("sha256:")[:12]

    def __str__(self) -> str:
        """Say what serves, in words."""
        return "the server of several models" if self.several else f"version {self.version}"


# Its image has the libraries of boosted trees whatever the list says, so that no list changes it.
SEVERAL = Target("", "", boosted=True, several=True)
