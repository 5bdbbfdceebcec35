"""What there is to run, in which order, and what may run side by side.

`needs` are stages that must have succeeded; `waits` are stages that must only have ended, so that
two do not disturb each other on a small machine.
"""

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
LOGS = ROOT / "build" / "logs"
VENV = ".venv/bin/python"
LOCAL = "local"
PYTHON = sys.executable
HERE = (PYTHON, "images/with_cluster.py")  # with the chosen cluster's kubeconfig and kubectl


@dataclass(frozen=True)
class Stage:
    """One command; `about` is its seconds on 2 cores, cold."""

    name: str
    command: Sequence[str]
    about: int
    needs: tuple[str, ...] = ()
    waits: tuple[str, ...] = ()
    counts: bool = False  # it is pytest, and its report says how many tests
    only_local: bool = False  # it is about the cluster that is built here
    uses_cluster: bool = False  # when it fails, the cluster holds the evidence

    @property
    def log(self) -> Path:
        return LOGS / f"test-{self.name}.log"

    @property
    def report(self) -> Path:
        return LOGS / f"junit-{self.name}.xml"


def stages(cluster: str = LOCAL) -> list[Stage]:
    """All stages for a cluster, each after those that it refers to."""
    every = [*_preparation(), *_without_cluster(), *_with_cluster(), *_end()]
    return [stage for stage in every if cluster == LOCAL or not stage.only_local]


def _tests(name: str, *arguments: str) -> list[str]:
    report = f"--junitxml={LOGS / f'junit-{name}.xml'}"
    return [VENV, "-m", "pytest", "-q", "--color=no", "--durations=10", report, *arguments]


def _preparation() -> list[Stage]:
    return [
        Stage("deps", [PYTHON, "tests/cluster/deps.py"], about=60),
        Stage("venv", [PYTHON, "tests/environment.py"], about=90, needs=("deps",)),
        Stage("programs", [PYTHON, "tests/cluster/build.py"], about=700, needs=("deps",)),
    ]


def _without_cluster() -> list[Stage]:
    unit = _tests("unit", "-n", "2", "tests/unit", "tests/house")
    apiserver = _tests("apiserver", "tests/apiserver")
    servers = ("venv", "programs")
    return [
        Stage("lint", [VENV, "tests/lint.py"], about=60, needs=("venv",)),
        Stage("unit", unit, about=180, needs=("venv",), waits=("lint",), counts=True),
        Stage("apiserver", apiserver, about=180, needs=servers, waits=("lint",), counts=True),
    ]


def _with_cluster() -> list[Stage]:
    up = [PYTHON, "tests/cluster/up.py"]
    images = [PYTHON, "images/build.py"]
    install = [*HERE, PYTHON, "manifests/install.py", "--minio"]
    # By module: bad inputs of one module share a namespace, all of them at once.
    side_by_side = ("-n", "4", "--dist", "loadscope", "-m", "not lifecycle and not disruptive")
    e2e = [*HERE, *_tests("e2e", "tests/e2e", *side_by_side)]
    faults = [*HERE, *_tests("faults", "tests/e2e", "-m", "disruptive")]
    bench = [VENV, "tests/measure.py", "--quick"]  # `make bench` has the whole
    installed = ("install", "venv")
    return [
        Stage("cluster", up, about=45, needs=("programs",), only_local=True),
        Stage("images", images, about=160, needs=("programs",), waits=("cluster",)),
        Stage("install", install, about=60, needs=("images",), uses_cluster=True),
        Stage(
            "e2e",
            e2e,
            about=600,
            needs=installed,
            waits=("unit", "apiserver"),
            counts=True,
            uses_cluster=True,
        ),
        # Beside the faults, which are mostly waiting.
        Stage(
            "contract",
            _tests("contract", "tests/contract"),
            about=400,
            needs=("venv", "programs"),
            waits=("unit", "e2e"),
            counts=True,
        ),
        Stage(
            "faults",
            faults,
            about=600,
            needs=installed,
            waits=("e2e",),
            counts=True,
            only_local=True,
            uses_cluster=True,
        ),
        # As well: what is asked is whether they work, and how fast only of a quiet machine.
        Stage(
            "bench",
            [*bench, "--no-cluster"],
            about=300,
            needs=("venv", "programs"),
            waits=("e2e", "contract"),
        ),
        Stage(
            "at-scale",
            [*HERE, *bench, "--cluster"],
            about=200,
            needs=installed,
            waits=("faults", "e2e", "contract", "bench"),
            uses_cluster=True,
        ),
    ]


def _end() -> list[Stage]:
    down = [PYTHON, "tests/cluster/down.py"]
    waits = ("cluster", "images", "install", "e2e", "faults", "at-scale")
    lifecycle = _tests("lifecycle", "tests/e2e", "-m", "lifecycle")
    return [
        Stage("down", down, about=15, needs=("programs",), waits=waits, only_local=True),
        Stage(
            "lifecycle",
            lifecycle,
            about=180,
            needs=("down", "venv"),
            counts=True,
            only_local=True,
        ),
    ]
