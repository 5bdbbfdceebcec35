"""Where the model's own page is seen from this machine."""

import urllib.error
import urllib.request

from .cluster import NAMESPACE, Cluster

SECONDS = 5


def address(cluster: Cluster, deployment: str) -> str:
    """The address, where this machine reaches the cluster's services; else how to reach it."""
    service = cluster.get("service", deployment) or {}
    ip = str(service.get("spec", {}).get("clusterIP", ""))
    url = f"http://[{ip}]/" if ip.count(":") > 1 else f"http://{ip}/"
    if ip and _answers(url):
        return url
    forward = f"kubectl -n {NAMESPACE} port-forward service/{deployment} 8080:80"
    return f"http://localhost:8080/, once `{forward}` runs"


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=SECONDS) as answer:  # noqa: S310 - of our own
            return bool(answer.status == 200)
    except (OSError, urllib.error.URLError):
        return False
