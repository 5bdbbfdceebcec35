"""The images, what each stands on, and the files that go into it.

`debian` is the base. `python` adds the interpreter; `installer` adds pip and only serves to build;
`science` is the layer that runner and server share, so that a node pulls and keeps it once;
`boosting` is added to both for the models of XGBoost and LightGBM. Files are named by patterns
relative to the root of the repository; nothing else is visible to the build.
"""

from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
BASE = "docker.io/library/debian:trixie-slim"
REPOSITORY = "tidemill"

# What runner and server share with the operator: the store's formats, the statistics, and how
# a duration is written; no kind.
SHARED_CODE = (
    "operator/tidemill/__init__.py",
    "operator/tidemill/api/__init__.py",
    "operator/tidemill/api/v1alpha1/__init__.py",
    "operator/tidemill/api/v1alpha1/durations.py",
    "operator/tidemill/store/**/*.py",
    "operator/tidemill/stats/**/*.py",
)


@dataclass(frozen=True)
class Image:
    """One Dockerfile; `about` is the seconds of a build on 2 cores when its parents are there."""

    name: str
    parents: tuple[str, ...]
    files: tuple[str, ...]
    about: int
    title: str = ""
    licenses: str = "Apache-2.0"
    source: str | None = None  # where it comes from, when that is not this project
    program: str | None = None  # a program of the local cluster that goes in
    folder: str = ""  # of its Dockerfile, where another image has the same

    @property
    def published(self) -> bool:
        return bool(self.title)

    @property
    def dockerfile(self) -> str:
        return f"images/{self.folder or self.name}/Dockerfile"


IMAGES = (
    Image("python", (), (), about=30),
    Image("installer", ("python",), ("images/installer/install_locked.py",), about=20),
    Image("science", ("python", "installer"), ("images/science/requirements.lock",), about=60),
    Image(
        "operator",
        ("python", "installer"),
        ("images/operator/requirements.lock", "operator/tidemill/**/*.py"),
        about=40,
        title="Tidemill operator",
    ),
    Image(
        "runner",
        ("science", "installer"),
        (
            "images/runner/requirements.lock",
            "images/runner/tidemill_runner/**/*",
            "operator/tidemill/pages/*",
            *SHARED_CODE,
        ),
        about=40,
        title="Tidemill runner",
    ),
    Image(
        "server",
        ("science", "installer"),
        (
            "images/server/requirements.lock",
            "images/server/tidemill_server/**/*",
            *SHARED_CODE,
        ),
        about=20,
        title="Tidemill server",
    ),
    *(
        Image(
            f"{name}-boosting",
            (name, "installer"),
            ("images/boosting/requirements.lock",),
            about=20,
            title=f"Tidemill {name} with XGBoost and LightGBM",
            folder="boosting",
        )
        for name in ("runner", "server")
    ),
    Image(
        "minio",
        (),
        (),
        about=10,
        title="MinIO for Tidemill's demo and tests",
        licenses="AGPL-3.0-or-later",
        source="https://github.com/minio/minio",
        program="minio",
    ),
)
BY_NAME = {image.name: image for image in IMAGES}
PUBLISHED = tuple(image.name for image in IMAGES if image.published)
