"""What makes two runs the same: a key over all that their result follows from.

It is made of what was pinned (versions, image and whatever else `AppliedRun` comes to hold) and of
the spec, without what says only how, when and with what patience it is worked on. A field that is
added to the spec is part of the key unless it is named here: forgetting one costs a repetition,
never a wrong result.
"""

import hashlib
from typing import Any

from tidemill.api.v1alpha1.run_status import AppliedRun
from tidemill.api.v1alpha1.run_template import RunTemplate
from tidemill.api.v1alpha1.training_run import TrainingRunSpec
from tidemill.store.digests import canonical_json
from tidemill.training import user_code

FORMAT = "tidemill.dev/run/v1"
# How it is worked on, not what comes of it.
LEFT_OUT = {"suspend", "cache", "retry", "deadline", "template", "queue_name", "ttl_after_finished"}
# The hash of the spec holds what is left out here; memory decides whether there is a result.
_NOT_PINNED = {"spec_hash", "memory"}


def cache_key(spec: TrainingRunSpec, applied: AppliedRun | None) -> str | None:
    """Give the key, in hex; None where not all inputs are known."""
    if applied is None or not applied.image or _opaque(spec.template):
        return None
    if not user_code.is_known(spec.estimator):
        return None
    if spec.signing and not applied.signing_secret:
        return None
    # What is imported may be another file each time, unless its digest is named.
    if spec.estimator.import_ and not spec.estimator.import_.s3.digest:
        return None
    if spec.join and not (applied.tables and all(one.key for one in applied.tables)):
        return None
    # Defaults are left out: a field that comes with a later version changes no key.
    left_out = LEFT_OUT if _is_fitted_in_shares(spec) else {*LEFT_OUT, "distributed"}
    asked = spec.model_dump(mode="json", by_alias=True, exclude_defaults=True, exclude=left_out)
    # `latest` and a digest may be the same version: what they stood for is in what was pinned.
    asked["dataset"].pop("version", None)
    for table in asked.get("join", {}).get("tables", ()):
        table["dataset"].pop("version", None)
    pinned: dict[str, Any] = applied.model_dump(
        mode="json", by_alias=True, exclude_none=True, exclude=_NOT_PINNED
    )
    if spec.template and spec.template.env:
        asked["env"] = {one.name: one.value for one in spec.template.env}
    content = {"format": FORMAT, "spec": asked, "applied": pinned}
    return hashlib.sha256(canonical_json(content)).hexdigest()


def _is_fitted_in_shares(spec: TrainingRunSpec) -> bool:
    """Tell whether the number of pods decides what comes of it: a search's trials have all rows."""
    return bool(spec.distributed and spec.distributed.workers > 1 and not spec.search)


def _opaque(template: RunTemplate | None) -> bool:
    """Tell whether the pod is given what may differ from one time to the next."""
    if template is None:
        return False
    # A value with a reference means another thing in another order.
    elsewhere = any(one.value_from or "$(" in (one.value or "") for one in template.env or ())
    kept = any(one.empty_dir is None for one in template.volumes or ())
    return elsewhere or kept or bool(template.sidecars)
