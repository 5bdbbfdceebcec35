"""What of the namespace a run's pod is given to read: that it is there, and not Tidemill's own.

Tidemill's Secrets hold keys for the store and tokens. Who may write a TrainingRun need not be
allowed to read Secrets, so a pod of theirs is not given those.
"""

from collections.abc import Iterator

from tidemill.api.v1alpha1.estimator import Estimator
from tidemill.api.v1alpha1.pod_volumes import EnvVariable
from tidemill.api.v1alpha1.reasons import Reason
from tidemill.api.v1alpha1.run_template import RunTemplate
from tidemill.api.v1alpha1.training_run import TrainingRunSpec
from tidemill.children.credentials import FALLBACK_SECRET
from tidemill.children.ownership import MANAGED_BY
from tidemill.engine.errors import Stalled
from tidemill.kube.client import Client
from tidemill.kube.resources import SECRETS


def secrets(spec: TrainingRunSpec) -> Iterator[tuple[str, str]]:
    """Give the Secrets that a run names, each with the field that does."""
    if spec.signing:
        yield "spec.signing.keyRef.name", spec.signing.key_ref.name
    yield from _of_estimator(spec.estimator)
    if spec.template:
        yield from _of_template(spec.template)


def _of_estimator(estimator: Estimator) -> Iterator[tuple[str, str]]:
    brought, script = estimator.import_, estimator.script
    if brought and brought.s3.credentials_ref:
        yield "spec.estimator.import.s3.credentialsRef.name", brought.s3.credentials_ref.name
    for kind, source in (("git", script.git), ("s3", script.s3)) if script else ():
        if source and source.credentials_ref:
            field = f"spec.estimator.script.{kind}.credentialsRef.name"
            yield field, source.credentials_ref.name


def _of_template(template: RunTemplate) -> Iterator[tuple[str, str]]:
    yield from _of_variables(template.env, "spec.template.env")
    for place, volume in enumerate(template.volumes or ()):
        if volume.secret:
            yield f"spec.template.volumes[{place}].secret.secretName", volume.secret.secret_name
    for place, sidecar in enumerate(template.sidecars or ()):
        yield from _of_variables(sidecar.env, f"spec.template.sidecars[{place}].env")


def _of_variables(variables: list[EnvVariable] | None, field: str) -> Iterator[tuple[str, str]]:
    for place, one in enumerate(variables or ()):
        if one.value_from and one.value_from.secret_key_ref:
            name = one.value_from.secret_key_ref.name
            yield f"{field}[{place}].valueFrom.secretKeyRef.name", name


async def check(client: Client, namespace: str, spec: TrainingRunSpec, job: str) -> None:
    """Refuse what a run is not to read; `job` is the name of its Job, which is its Secret's, too.

    Raises Stalled.
    """
    first = {name: field for field, name in reversed(list(secrets(spec)))}
    for name, field in first.items():
        own = name in (FALLBACK_SECRET, job)
        live = None if own else await client.get(SECRETS, namespace, name)
        if own or (live and _is_ours(live["metadata"].get("labels") or {})):
            message = f"{field}: the Secret {name} is Tidemill's own: name one of yours"
            raise Stalled(Reason.SPEC_INVALID, message)
        if live is None:
            message = f"{field}: there is no Secret {name} in this namespace: create it"
            raise Stalled(Reason.SECRET_MISSING, message)


def _is_ours(labels: dict[str, str]) -> bool:
    return all(labels.get(name) == value for name, value in MANAGED_BY.items())
