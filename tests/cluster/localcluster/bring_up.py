"""Makes the cluster be there, from whatever is: nothing, all, or an interrupted try's rest."""

import time

from . import addons, certificates, claim, control_plane, images, machine, ports
from .api import Api
from .cluster import WAVES, Cluster
from .failure import ClusterError
from .kwok import is_ready
from .layout import RUN, Layout
from .locks import exclusive
from .progress import duration, say
from .waiting import wait_for

NODE_SECONDS = 60.0
LOCK = RUN / "lock"


def bring_up(layout: Layout) -> Cluster:
    began = time.monotonic()
    with exclusive(LOCK, "changing the cluster"):
        claim.take(layout)
        if (cluster := _complete(layout)) is not None:
            addons.offer_volumes(layout, Api(layout, cluster.ports))
            say(f"the cluster {layout.name!r} is up already")
            return cluster
        cluster = _start(layout)
    say(f"the cluster {layout.name!r} is up after {duration(time.monotonic() - began)}")
    return cluster


def _complete(layout: Layout) -> Cluster | None:
    found = ports.load(layout.ports)
    if found is None or not layout.kubeconfig.exists():
        return None
    cluster = Cluster(layout, found)
    if not cluster.is_complete() or not _node_is_ready(cluster):
        return None
    return cluster


def _start(layout: Layout) -> Cluster:
    for folder in (layout.state, layout.run, layout.logs, layout.cache / "registry"):
        folder.mkdir(parents=True, exist_ok=True)
    machine.prepare(layout)
    cluster = Cluster(layout, ports.load_or_choose(layout.ports, layout.name))
    certificates.make(layout)
    control_plane.write_kubeconfigs(layout, cluster.ports)
    first, second, third = WAVES
    _begin(cluster, *first)
    images.load(layout, images.pause(layout))
    _begin(cluster, *second)
    addons.install(layout, Api(layout, cluster.ports))
    _begin(cluster, *third)
    if not wait_for(lambda: _node_is_ready(cluster), NODE_SECONDS):
        log = cluster.processes.log("kubelet")
        raise ClusterError(f"the node is not ready after {NODE_SECONDS:.0f} s; see {log}")
    return cluster


def _begin(cluster: Cluster, *names: str) -> None:
    began = time.monotonic()
    cluster.start(*names)
    say(f"ready after {duration(time.monotonic() - began)}: {', '.join(names)}")


def _node_is_ready(cluster: Cluster) -> bool:
    nodes = Api(cluster.layout, cluster.ports).list("Node")
    own = [node for node in nodes if node["metadata"]["name"] == cluster.layout.node]
    return any(is_ready(node) for node in own)
