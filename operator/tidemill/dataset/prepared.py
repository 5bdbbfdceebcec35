"""What is done to the rows between source and version: told to the runner, and told of it. Pure."""

from dataclasses import replace
from typing import Any

from tidemill.api.v1alpha1.dataset import DatasetSpec
from tidemill.api.v1alpha1.durations import parse_duration
from tidemill.api.v1alpha1.prepare import Container, Prepare
from tidemill.api.v1alpha1.reasons import Reason
from tidemill.children.foreign import PREPARE
from tidemill.children.pods import Diagnosis
from tidemill.jobs.between import Middle
from tidemill.jobs.words import last_words


def container(spec: DatasetSpec) -> Container | None:
    """Give the container that prepares the rows, if one does."""
    return spec.prepare.container if spec.prepare else None


def middle(spec: DatasetSpec) -> Middle | None:
    """Give the same as a part of the Job's pod."""
    found = container(spec)
    return Middle.preparing(found) if found else None


def limit(spec: DatasetSpec) -> float | None:
    """Give the seconds that a container may take; a query is stopped by the runner."""
    return _seconds(spec.prepare) if spec.prepare and spec.prepare.container else None


def document(prepare: Prepare) -> dict[str, Any]:
    """Build the part `prepare` of the input document; the versions of inputs are filled in."""
    inputs = [{"name": one.name} for one in prepare.inputs or ()]
    by: dict[str, Any] = {"sql": prepare.sql}
    if prepare.container:
        by = {"container": prepare.container.model_dump(mode="json", exclude_none=True)}
    return {**by, "seconds": _seconds(prepare), "inputs": inputs}


def told(spec: DatasetSpec, found: Diagnosis) -> Diagnosis:
    """Add the last words of the user's container to what is said of its end.

    Nobody knows what it prints: where values are sensitive, its log stays where it is.
    """
    if found.container != PREPARE or found.reason is not Reason.PREPARE_FAILED:
        return found
    columns = (spec.schema_.columns if spec.schema_ else None) or ()
    if any(column.sensitive for column in columns):
        words = "its log is not shown here, since spec.schema has sensitive columns"
    else:
        words = last_words(found.log)
    return replace(found, message=f"{found.message}; {words}")


def _seconds(prepare: Prepare) -> float:
    return parse_duration(prepare.deadline).total_seconds()
