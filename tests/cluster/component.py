"""Stops, starts or restarts one component of the running cluster, for tests of faults.

With the API server stopped, the controller manager and the scheduler are stopped too, and started
with it: elsewhere they would end for lack of their leader's lease and begin anew. Kept running,
they would see the world of before for half a minute, and take the node for lost.
"""

import argparse

from localcluster.bring_up import LOCK
from localcluster.cluster import COMPONENTS, FOLLOWERS, OPTIONAL, Cluster
from localcluster.failure import run
from localcluster.layout import Layout
from localcluster.locks import exclusive
from localcluster.root import require_root


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("action", choices=("stop", "start", "restart"))
    parser.add_argument("component", choices=(*COMPONENTS, *OPTIONAL))
    parser.add_argument("--name", default="tidemill")
    arguments = parser.parse_args()
    require_root()
    cluster = Cluster.existing(Layout.of(arguments.name))
    with exclusive(LOCK, "changing the cluster"):
        act(cluster, arguments.action, arguments.component)
    return 0


def act(cluster: Cluster, action: str, component: str) -> None:
    followers = () if action == "restart" else FOLLOWERS.get(component, ())
    if action in ("stop", "restart"):
        for name in (*followers, component):
            cluster.stop(name)
    if action in ("start", "restart"):
        cluster.start(component)
        cluster.start(*followers)


if __name__ == "__main__":
    run(main)
