"""What is done to the rows between source and version: told to the runner, and told of it. Pure."""

from dataclasses import replace
from typing import Any

from tidemill.api.v1alpha1.dataset import DatasetSpec
from tidemill.api.v1alpha1.durations import parse_duration
from tidemill.api.v1alpha1.prepare import Container, Prepare
from tidemill.api.v1alpha1.reasons import Reason
from tidemill.children.pod_spec import USERS_CONTAINER
from tidemill.children.pods import Diagnosis

LINES = 5
LINE = 200


def container(spec: DatasetSpec) -> Container | None:
    """Give the container that prepares the rows, if one does."""
    return spec.prepare.container if spec.prepare else None


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
    if found.container != USERS_CONTAINER or found.reason is not Reason.PREPARE_FAILED:
        return found
    columns = (spec.schema_.columns if spec.schema_ else None) or ()
    if any(column.sensitive for column in columns):
        words = "its log is not shown here, since spec.schema has sensitive columns"
    else:
        lines = [_printable(line) for line in found.log if line.strip()][-LINES:]
        words = f"it wrote: {' | '.join(lines)}" if lines else "it wrote nothing to its log"
    return replace(found, message=f"{found.message}; {words}")


def _seconds(prepare: Prepare) -> float:
    return parse_duration(prepare.deadline).total_seconds()


def _printable(line: str) -> str:
    text = "".join(sign if sign.isprintable() else " " for sign in line).strip()
    return text if len(text) <= LINE else f"{text[:LINE]}…"
