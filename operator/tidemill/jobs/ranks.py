"""Pods of one Job that train together: what each is called, and what its launcher is told.

The pods of an Indexed Job are numbered, and the names `JOB-NUMBER` are their host names. A headless
Service gives these addresses for as long as the run lasts: a pod that replaces another has its
number, and so its name. What PyTorch's launcher and MPI's look for in the environment is set of
that; nothing of ours stands between the user's processes.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tidemill.children.ownership import child_metadata
from tidemill.jobs.between import IN_DIR
from tidemill.kube.owners import OWNER_UID_LABEL

# Where PyTorch's launcher looks for rank 0, unless it is told otherwise.
PORT = 29500
# One host in a line, as Open MPI and as Hydra (MPICH, Intel MPI) read it.
HOSTS, HYDRA_HOSTS = f"{IN_DIR}/hosts", f"{IN_DIR}/hosts.hydra"
_NUMBER = "metadata.annotations['batch.kubernetes.io/job-completion-index']"


@dataclass(frozen=True, slots=True)
class Ranks:
    """The pods of the Job `job`, behind the Service `service`."""

    job: str
    service: str
    count: int

    @property
    def hosts(self) -> tuple[str, ...]:
        """Give the names of all ranks in their order, as pods of the namespace resolve them."""
        return tuple(f"{self.job}-{number}.{self.service}" for number in range(self.count))

    def env(self) -> tuple[Mapping[str, Any], ...]:
        """Tell the user's container which rank it is, and where the others are."""
        first, port, count = self.hosts[0], str(PORT), str(self.count)
        told = {
            # What `init_process_group` reads with the method env://.
            "WORLD_SIZE": count,
            "MASTER_ADDR": first,
            "MASTER_PORT": port,
            # torchrun's own arguments; how many processes a pod has is for the user to say.
            "PET_NNODES": count,
            "PET_MASTER_ADDR": first,
            "PET_MASTER_PORT": port,
            # Open MPI 4, Open MPI 5, MPICH, Intel MPI.
            "OMPI_MCA_orte_default_hostfile": HOSTS,
            "PRTE_MCA_prte_default_hostfile": HOSTS,
            "HYDRA_HOST_FILE": HYDRA_HOSTS,
            "I_MPI_HYDRA_HOST_FILE": HYDRA_HOSTS,
        }
        number = {"fieldRef": {"fieldPath": _NUMBER}}
        return (
            *({"name": name, "valueFrom": number} for name in ("RANK", "NODE_RANK")),
            {"name": "PET_NODE_RANK", "valueFrom": number},
            *({"name": name, "value": value} for name, value in told.items()),
        )

    def document(self) -> Mapping[str, Any]:
        """Tell the runner, which lays the hosts out in files."""
        return {"hosts": list(self.hosts)}


def service_manifest(kind: str, parent: Mapping[str, Any], name: str) -> dict[str, Any]:
    """Build the headless Service, which gives each pod of the parent's Job an address by its name.

    They are to find each other before they are ready: that they are only at their end.
    """
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": child_metadata(kind, parent, name),
        "spec": {
            "clusterIP": "None",
            "publishNotReadyAddresses": True,
            "selector": {OWNER_UID_LABEL: parent["metadata"]["uid"]},
            "ports": [{"name": "rank-0", "port": PORT, "protocol": "TCP", "targetPort": PORT}],
        },
    }
