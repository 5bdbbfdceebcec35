"""What the keys of a run's Job open: what it reads and writes, and nothing else. Pure."""

from collections.abc import Mapping, Sequence
from typing import Any

from tidemill.api.v1alpha1.reasons import Reason
from tidemill.api.v1alpha1.run_status import AppliedRun
from tidemill.api.v1alpha1.training_run import TrainingRunSpec
from tidemill.engine.errors import Stalled
from tidemill.store import layout
from tidemill.store.credentials import (
    Policy,
    shortened,
    train_policy,
    with_checkpoint,
    with_manifests,
    with_parts,
    with_trials,
)
from tidemill.training import user_code


def workers(spec: TrainingRunSpec) -> int:
    """Count the pods that share its search, or without one its fit."""
    return spec.distributed.workers if spec.distributed else 1


def policy(
    bucket: str,
    run: Mapping[str, Any],
    spec: TrainingRunSpec,
    applied: AppliedRun,
    joined: Sequence[str],
) -> Policy:
    """Give it; `run` is the object's metadata, `joined` are keys of manifests that are joined.

    Raises Stalled where names are so long that no keys can be cut to them.
    """
    namespace, dataset = run["namespace"], spec.dataset.name
    own = train_policy(bucket, namespace, run["name"], run["uid"], dataset)
    prefix = layout.run_prefix(namespace, run["uid"])
    if workers(spec) > 1:
        own = with_parts(own, prefix)
    elif spec.search:
        own = with_trials(own, prefix)
    if user_code.is_code(spec.estimator):
        own = with_checkpoint(own, prefix)
    manifest = layout.manifest_key(namespace, dataset, applied.dataset_version)
    found = with_manifests(shortened(own, namespace, manifest), namespace, joined)
    if not found.fits:
        raise Stalled(Reason.SPEC_INVALID, _too_long(len(joined)))
    return found


def _too_long(joined: int) -> str:
    if not joined:
        return (
            "the keys of its Job have no room for names so long: give run, Dataset or namespace a "
            "shorter one"
        )
    return (
        f"spec.join.tables names {joined} versions, more than the keys of one Job can be cut to: "
        "name fewer, or give the Datasets shorter names"
    )
