"""Gives the running cluster fake nodes, whose pods cost nothing; `--nodes 0` takes them away."""

import argparse

from localcluster.api import Api
from localcluster.bring_up import LOCK
from localcluster.builds import build
from localcluster.cluster import Cluster
from localcluster.failure import ClusterError, run
from localcluster.kwok import ready_nodes, set_nodes
from localcluster.layout import Layout
from localcluster.locks import exclusive
from localcluster.root import require_root
from localcluster.waiting import wait_for

READY_SECONDS = 60.0


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--nodes", type=int, required=True)
    parser.add_argument("--name", default="tidemill")
    arguments = parser.parse_args()
    require_root()
    layout = Layout.of(arguments.name)
    cluster = Cluster.existing(layout)
    api = Api(layout, cluster.ports)
    if arguments.nodes:
        build(layout.cache)
    with exclusive(LOCK, "changing the cluster"):
        if arguments.nodes:
            cluster.start("kwok")
        set_nodes(api, arguments.nodes)
        if not wait_for(lambda: ready_nodes(api) == arguments.nodes, READY_SECONDS):
            raise ClusterError(f"the fake nodes are not ready; see {cluster.processes.log('kwok')}")
        if not arguments.nodes:
            cluster.stop("kwok")
    print(f"{arguments.nodes} fake nodes")
    return 0


if __name__ == "__main__":
    run(main)
