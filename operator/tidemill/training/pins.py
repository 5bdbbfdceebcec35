"""What was resolved when a run started, as its Job bears it: a lost status is known from it."""

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from tidemill.api.v1alpha1.join import JoinedVersion
from tidemill.api.v1alpha1.run_status import (
    AppliedRun,
)
from tidemill.api.v1alpha1.training_run import TrainingRunSpec
from tidemill.jobs.view import JobView
from tidemill.store.digests import canonical_json

VERSION_ANNOTATION = "tidemill.dev/dataset-version"


SPEC_HASH_ANNOTATION = "tidemill.dev/spec-hash"


IMAGE_ANNOTATION = "tidemill.dev/runner-image"


TABLES_ANNOTATION = "tidemill.dev/joined-versions"


MEMORY_ANNOTATION = "tidemill.dev/memory"


SIGNING_ANNOTATION = "tidemill.dev/signing-secret"


def spec_hash(spec: TrainingRunSpec) -> str:
    """Hash what makes the run what it is, without whether it is suspended or how long kept."""
    # Defaults are left out: a field that comes with a later version changes no hash.
    left_out = {"suspend", "ttl_after_finished"}
    content = spec.model_dump(mode="json", by_alias=True, exclude_defaults=True, exclude=left_out)
    return hashlib.sha256(canonical_json(content)).hexdigest()[:16]


def pinned(job: JobView) -> AppliedRun | None:
    notes = job.annotations
    if not {VERSION_ANNOTATION, IMAGE_ANNOTATION, SPEC_HASH_ANNOTATION} <= notes.keys():
        return None
    return AppliedRun(
        dataset_version=notes[VERSION_ANNOTATION],
        tables=joined_versions(json.loads(notes.get(TABLES_ANNOTATION, "null"))),
        image=notes[IMAGE_ANNOTATION],
        spec_hash=notes[SPEC_HASH_ANNOTATION],
        memory=notes.get(MEMORY_ANNOTATION),
        signing_secret=notes.get(SIGNING_ANNOTATION),
    )


def annotations(applied: AppliedRun) -> dict[str, str]:
    """Give what a Job bears, so that a forgotten status is known again."""
    tables = [one.to_dict() for one in applied.tables or ()]
    return {
        VERSION_ANNOTATION: applied.dataset_version,
        SPEC_HASH_ANNOTATION: applied.spec_hash,
        IMAGE_ANNOTATION: applied.image,
        **({TABLES_ANNOTATION: json.dumps(tables, separators=(",", ":"))} if tables else {}),
        **({MEMORY_ANNOTATION: applied.memory} if applied.memory else {}),
        **({SIGNING_ANNOTATION: applied.signing_secret} if applied.signing_secret else {}),
    }


def joined_versions(noted: list[Mapping[str, Any]] | None) -> list[JoinedVersion] | None:
    return [JoinedVersion.model_validate(one) for one in noted] if noted else None
