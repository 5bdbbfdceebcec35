"""The resources Tidemill reads and writes, and how their addresses are built.

`Resource` is what a path needs to know; `of(body)` finds the one that fits a manifest, so that a
manifest is all a caller has to hand over.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tidemill.api.v1alpha1 import GROUP, VERSION
from tidemill.engine.errors import Bug


@dataclass(frozen=True, slots=True)
class Resource:
    """One row of `kubectl api-resources`."""

    group: str
    version: str
    plural: str
    kind: str
    namespaced: bool = True

    @property
    def api_version(self) -> str:
        """Give the value of `apiVersion` in a manifest."""
        return f"{self.group}/{self.version}" if self.group else self.version

    @property
    def discovery(self) -> str:
        """Give the path that lists the resources of the group and version."""
        return f"/apis/{self.group}/{self.version}" if self.group else f"/api/{self.version}"

    def path(self, namespace: str | None = None, name: str | None = None) -> str:
        """Give the path of one object, or of the collection (in one namespace or in all)."""
        scope = f"/namespaces/{namespace}" if self.namespaced and namespace else ""
        tail = f"/{name}" if name else ""
        return f"{self.discovery}{scope}/{self.plural}{tail}"

    def __str__(self) -> str:
        """Read as in RBAC: `jobs.batch`."""
        return f"{self.plural}.{self.group}" if self.group else self.plural


DATASETS = Resource(GROUP, VERSION, "datasets", "Dataset")
TRAINING_RUNS = Resource(GROUP, VERSION, "trainingruns", "TrainingRun")
MODEL_DEPLOYMENTS = Resource(GROUP, VERSION, "modeldeployments", "ModelDeployment")

JOBS = Resource("batch", "v1", "jobs", "Job")
DEPLOYMENTS = Resource("apps", "v1", "deployments", "Deployment")
PODS = Resource("", "v1", "pods", "Pod")
SERVICES = Resource("", "v1", "services", "Service")
SERVICE_ACCOUNTS = Resource("", "v1", "serviceaccounts", "ServiceAccount")
CONFIG_MAPS = Resource("", "v1", "configmaps", "ConfigMap")
SECRETS = Resource("", "v1", "secrets", "Secret")
PERSISTENT_VOLUME_CLAIMS = Resource("", "v1", "persistentvolumeclaims", "PersistentVolumeClaim")
EVENTS = Resource("", "v1", "events", "Event")
NODES = Resource("", "v1", "nodes", "Node", namespaced=False)
NAMESPACES = Resource("", "v1", "namespaces", "Namespace", namespaced=False)
LEASES = Resource("coordination.k8s.io", "v1", "leases", "Lease")
POD_DISRUPTION_BUDGETS = Resource("policy", "v1", "poddisruptionbudgets", "PodDisruptionBudget")
NETWORK_POLICIES = Resource("networking.k8s.io", "v1", "networkpolicies", "NetworkPolicy")
TOKEN_REVIEWS = Resource(
    "authentication.k8s.io", "v1", "tokenreviews", "TokenReview", namespaced=False
)
# Kueue's, where it is installed; and as it is known to versions before 0.15.
WORKLOADS = Resource("kueue.x-k8s.io", "v1beta2", "workloads", "Workload")
WORKLOADS_BEFORE = Resource("kueue.x-k8s.io", "v1beta1", "workloads", "Workload")
# Not kept anywhere: Kueue answers itself, behind the API server.
PENDING_WORKLOADS = Resource("visibility.kueue.x-k8s.io", "v1beta1", "localqueues", "LocalQueue")

ALL = (
    DATASETS,
    TRAINING_RUNS,
    MODEL_DEPLOYMENTS,
    JOBS,
    DEPLOYMENTS,
    PODS,
    SERVICES,
    SERVICE_ACCOUNTS,
    CONFIG_MAPS,
    SECRETS,
    PERSISTENT_VOLUME_CLAIMS,
    EVENTS,
    NODES,
    NAMESPACES,
    LEASES,
    POD_DISRUPTION_BUDGETS,
    NETWORK_POLICIES,
    TOKEN_REVIEWS,
)
_BY_KIND = {(resource.api_version, resource.kind): resource for resource in ALL}


def of(body: Mapping[str, Any]) -> Resource:
    """Find the resource of a manifest by its `apiVersion` and `kind`."""
    try:
        return _BY_KIND[body["apiVersion"], body["kind"]]
    except KeyError as error:
        raise Bug(
            f"no resource is known for {body.get('apiVersion')} {body.get('kind')}"
        ) from error
