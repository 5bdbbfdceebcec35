"""The Service of a run whose code several pods run: there while the run has a Job, and no longer.

It bears the name of the run's first Job, also when another one with more memory follows: it selects
the pods of whichever there is.
"""

from collections.abc import Mapping
from typing import Any

from tidemill.api.v1alpha1.training_run import TrainingRunSpec
from tidemill.jobs.ranks import Ranks, service_manifest
from tidemill.kube.apply import ensure
from tidemill.kube.client import Client
from tidemill.kube.owners import owner_of
from tidemill.kube.resources import SERVICES
from tidemill.training import user_code

KIND = "TrainingRun"


def ranks(spec: TrainingRunSpec, job: str, service: str) -> Ranks | None:
    """Give the pods that train together; None where one trains alone."""
    count = user_code.parallelism(spec.estimator)
    return Ranks(job, service, count) if count > 1 else None


async def keep(client: Client, run: Mapping[str, Any], name: str) -> None:
    """Have the Service be as it is to be, whoever removed or edited it."""
    found = await client.get(SERVICES, run["metadata"]["namespace"], name)
    await ensure(client, service_manifest(KIND, run, name), found)


async def remove(client: Client, run: Mapping[str, Any], name: str) -> None:
    """Remove the Service, if it is there and the run's."""
    metadata = run["metadata"]
    found = await client.get(SERVICES, metadata["namespace"], name)
    if found is None or owner_of(found) != metadata["uid"]:
        return
    uid = found["metadata"]["uid"]
    await client.delete(SERVICES, metadata["namespace"], name, uid=uid)
