"""Shows how the local cluster is; the exit code is 0 when it runs, 3 when it does not."""

import argparse
import json
from typing import Any

from localcluster import ports
from localcluster.cluster import COMPONENTS, OPTIONAL, Cluster
from localcluster.failure import run
from localcluster.layout import Layout

NOT_RUNNING = 3


def status(layout: Layout) -> dict[str, Any]:
    found = ports.load(layout.ports)
    document: dict[str, Any] = {
        "name": layout.name,
        "running": False,
        "kubeconfig": str(layout.kubeconfig),
        "registry": None,
        "bin": str(layout.bin),
        "components": {},
    }
    if found is None:
        return document
    cluster = Cluster(layout, found)
    health = {name: cluster.health(name) for name in (*COMPONENTS, *OPTIONAL)}
    document["registry"] = f"localhost:{found['registry']}"
    document["running"] = all(health[name].ready for name in COMPONENTS)
    document["components"] = {
        name: {"pid": one.pid, "ready": one.ready, "log": str(cluster.processes.log(name))}
        for name, one in health.items()
        if one.pid is not None or name in COMPONENTS
    }
    return document


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--name", default="tidemill")
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    document = status(Layout.of(arguments.name))
    if arguments.json:
        print(json.dumps(document, indent=2))
    else:
        _show(document)
    return 0 if document["running"] else NOT_RUNNING


def _show(document: dict[str, Any]) -> None:
    print(f"{document['name']}: {'running' if document['running'] else 'not running'}")
    for name, component in document["components"].items():
        state = "ready" if component["ready"] else "not ready" if component["pid"] else "stopped"
        print(f"  {name:24} {state:10} {component['pid'] or ''}")
    for key in ("kubeconfig", "registry", "bin"):
        print(f"{key + ':':12}{document[key] or '-'}")


if __name__ == "__main__":
    run(main)
