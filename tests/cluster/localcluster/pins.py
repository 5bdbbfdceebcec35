"""What is built, from which pins, and under which name the result is cached.

A component is a folder of `modules/` whose go.mod names the programs (`tool` lines) and whose
go.sum fixes every byte that goes in. The hash of both, of the build flags and of the machine's
architecture names the folder of the built programs, so equal pins are built once per machine.
"""

import hashlib
import platform
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

MODULES = Path(__file__).resolve().parent.parent / "modules"
KUBERNETES = "v1.36.3"
CONTAINERD = "v2.3.7"
RUNC = "v1.4.3"
HASH_LENGTH = 16


@dataclass(frozen=True)
class Component:
    """One module and the programs that it gives; `about` is seconds of a cold build on 2 cores."""

    name: str
    programs: tuple[str, ...]
    about: int
    ldflags: str = "-s -w"
    tags: str = ""
    cgo: bool = False
    renamed: tuple[str, str] | None = None  # what Go calls the program, what we call it
    needed: bool = True  # by every cluster; the rest is built when it is asked for

    @property
    def folder(self) -> Path:
        return MODULES / self.name

    def flags(self) -> list[str]:
        tags = ["-tags", self.tags] if self.tags else []
        given = ["-trimpath", "-buildvcs=false", "-mod=readonly", *tags, "-ldflags", self.ldflags]
        # The linker leaves a debugger's tables out (-w); not to make them saves 8 % of a build.
        return [*given, "-gcflags=all=-dwarf=false"]


def _variables(package: str, values: dict[str, str]) -> str:
    return " ".join(["-s -w", *(f"-X {package}.{name}={value}" for name, value in values.items())])


_major, _minor, _ = KUBERNETES.removeprefix("v").split(".")

COMPONENTS = (
    Component(
        "kubernetes",
        (
            "kube-apiserver",
            "kube-controller-manager",
            "kube-scheduler",
            "kubelet",
            "kube-proxy",
            "kubectl",
        ),
        about=300,
        ldflags=_variables(
            "k8s.io/component-base/version",
            {"gitVersion": KUBERNETES, "gitMajor": _major, "gitMinor": _minor},
        ),
    ),
    Component("etcd", ("etcd",), about=25, renamed=("server", "etcd")),
    Component(
        "containerd",
        ("containerd", "containerd-shim-runc-v2", "ctr"),
        about=45,
        tags="no_btrfs,no_devmapper,no_zfs",
        ldflags=_variables("github.com/containerd/containerd/v2/version", {"Version": CONTAINERD}),
    ),
    Component(
        "runc",
        ("runc",),
        about=15,
        tags="seccomp",
        cgo=True,
        ldflags=_variables("main", {"version": RUNC.removeprefix("v")}),
    ),
    Component("cni", ("bridge", "host-local", "portmap"), about=5),
    Component("pause", ("pause",), about=3),
    Component("probe", ("probe",), about=15),
    Component("coredns", ("coredns",), about=70),
    Component("minio", ("minio",), about=155),
    Component("versitygw", ("versitygw",), about=45, needed=False),
    Component("kwok", ("kwok",), about=75, needed=False),
    Component("kueue", ("kueue",), about=240, needed=False),
)
NEEDED = tuple(component for component in COMPONENTS if component.needed)


def components_of(programs: Collection[str]) -> tuple[Component, ...]:
    """Those that some programs come from; all where none is named."""
    wanted = set(programs)
    return tuple(one for one in COMPONENTS if not wanted or wanted & set(one.programs))


def digest(component: Component, machine: str | None = None) -> str:
    """Names the component's build: the same for equal pins, flags and architecture."""
    content = hashlib.sha256()
    for path in sorted(component.folder.iterdir()):
        content.update(f"{path.name}\0".encode())
        content.update(hashlib.sha256(path.read_bytes()).digest())
    flags = [*component.flags(), str(component.cgo), str(component.renamed)]
    content.update("\0".join([*flags, machine or platform.machine()]).encode())
    return content.hexdigest()[:HASH_LENGTH]


def digest_of_all(machine: str | None = None) -> str:
    """Names the folder in which all programs stand side by side."""
    each = (f"{component.name} {digest(component, machine)}" for component in COMPONENTS)
    return hashlib.sha256("\n".join(each).encode()).hexdigest()[:HASH_LENGTH]
