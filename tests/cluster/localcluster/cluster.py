"""A cluster as its components: which there are, how one is started, stopped and asked how it is."""

from collections.abc import Callable
from dataclasses import dataclass

from . import control_plane, kwok, machine, node
from .failure import ClusterError
from .health import probes
from .layout import Layout
from .ports import Ports, load
from .processes import Program, Registry
from .waiting import wait_for

READY_SECONDS = 60.0
LOG_LINES = 15
# Each group is started at once, when the one before it answers.
WAVES = (
    ("registry", "etcd", "containerd"),
    ("kube-apiserver",),
    ("kube-controller-manager", "kube-scheduler", "kubelet", "kube-proxy", "coredns"),
)
COMPONENTS = tuple(name for wave in WAVES for name in wave)
OPTIONAL = ("kwok",)  # started by fake_nodes.py
# Who ends, in a cluster with leader election, when the other one is away for long.
FOLLOWERS = {"kube-apiserver": ("kube-controller-manager", "kube-scheduler")}
# Nothing loses what it still talks to: the API server would wait for etcd, clients for the server.
STOPPING = (*OPTIONAL, *reversed(COMPONENTS))


@dataclass(frozen=True)
class Health:
    pid: int | None
    ready: bool


class Cluster:
    """The components of the cluster at `layout`, which has ports."""

    def __init__(self, layout: Layout, ports: Ports) -> None:
        self.layout = layout
        self.ports = ports
        self.processes = Registry(layout.processes, layout.logs, str(layout.bin))
        self._probes = probes(layout, ports)

    @staticmethod
    def existing(layout: Layout) -> "Cluster":
        ports = load(layout.ports)
        if ports is None:
            raise ClusterError(f"there is no cluster {layout.name!r} in {layout.state.parent}")
        return Cluster(layout, ports)

    def program(self, name: str) -> Program:
        makers: dict[str, Callable[[], Program]] = {
            "registry": lambda: node.registry(self.layout, self.ports),
            "etcd": lambda: control_plane.etcd(self.layout, self.ports),
            "containerd": lambda: node.containerd(self.layout, self.ports, machine.mtu()),
            "kube-apiserver": lambda: control_plane.apiserver(self.layout, self.ports),
            "kube-controller-manager": lambda: control_plane.controller_manager(
                self.layout, self.ports
            ),
            "kube-scheduler": lambda: control_plane.scheduler(self.layout, self.ports),
            "kubelet": lambda: node.kubelet(self.layout, self.ports),
            "kube-proxy": lambda: node.proxy(self.layout, self.ports, machine.bridge_is_filtered()),
            "coredns": lambda: node.coredns(self.layout, self.ports),
            "kwok": lambda: kwok.controller(self.layout, self.ports),
        }
        if name not in makers:
            raise ClusterError(f"no component {name!r}; there are: {', '.join(makers)}")
        return makers[name]()

    def start(self, *names: str) -> None:
        """Makes the components run, and returns when each answers."""
        for name in names:
            self.processes.start(self.program(name))
        for name in names:
            self._await(name)

    def stop(self, name: str) -> None:
        self.program(name)  # an unknown name is refused
        self.processes.stop(name)

    def health(self, name: str) -> Health:
        identity = self.processes.alive(name)
        if identity is None:
            return Health(None, ready=False)
        return Health(identity.pid, self._probes[name]())

    def is_complete(self) -> bool:
        """Whether exactly the wanted components run, and all answer."""
        programs = (self.program(name) for name in COMPONENTS)
        return all(self.processes.runs(program) for program in programs) and all(
            self.health(name).ready for name in COMPONENTS
        )

    def _await(self, name: str) -> None:
        def settled() -> bool:
            health = self.health(name)
            return health.ready or health.pid is None

        wait_for(settled, READY_SECONDS)
        health = self.health(name)
        if health.ready:
            return
        log = self.processes.log(name)
        what = "ended" if health.pid is None else f"is not ready after {READY_SECONDS:.0f} s"
        lines = log.read_text(errors="replace").splitlines()[-LOG_LINES:]
        raise ClusterError("\n".join([f"{name} {what}; the end of its log, {log}:", *lines]))
