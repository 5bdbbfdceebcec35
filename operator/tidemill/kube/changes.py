"""What in an object matters to a reconcile: everything else that changes is no reason for one.

A signature has two halves: what somebody wants of the object, and what has come of it. An event
whose signature is that of the event before says nothing new: our own status writes come back as
such echoes, and so do the many intermediate states of a Job. Signatures are compared, never kept:
the watches remember their hashes.
"""

import json
from collections.abc import Callable, Mapping
from typing import Any

Body = Mapping[str, Any]
Half = str  # canonical text; empty when there is nothing to say yet
Signature = tuple[Half, Half]
Sign = Callable[[Body], Signature]

REQUESTED_AT = "tidemill.dev/reconcile-requested-at"


def of_own(body: Body) -> Signature:
    """Sign an object of ours; progress is left out of the status, it wakes nobody."""
    metadata = body["metadata"]
    wanted = [
        metadata.get("generation"),
        metadata.get("deletionTimestamp"),
        metadata.get("annotations", {}).get(REQUESTED_AT),
    ]
    status = {key: value for key, value in body.get("status", {}).items() if key != "progress"}
    return _text(wanted), _text(status)


def of_job(body: Body) -> Signature:
    """Sign a Job: how it ended, or how often a pod has failed; pods coming up is no news."""
    status = body.get("status", {})
    ended = [
        (condition["type"], condition["status"])
        for condition in status.get("conditions", ())
        if condition["type"] in {"Complete", "Failed", "Suspended"}
    ]
    outcome = {"ended": ended, "failed": status.get("failed", 0)}
    return _wanted(body), _text({key: value for key, value in outcome.items() if value})


def of_deployment(body: Body) -> Signature:
    """Sign a Deployment: its replica counts and whether it makes progress."""
    status = body.get("status", {})
    outcome = {key: value for key, value in status.items() if key.endswith("eplicas")}
    outcome["observed"] = status.get("observedGeneration", 0)
    outcome["conditions"] = [
        (condition["type"], condition["status"], condition.get("reason"))
        for condition in status.get("conditions", ())
    ]
    return _wanted(body), _text({key: value for key, value in outcome.items() if value})


def of_plain(body: Body) -> Signature:
    """Sign an object that has no outcome, such as a Service: what it says is what it is."""
    content = {
        key: value for key, value in body.items() if key not in {"metadata", "status", "kind"}
    }
    return _wanted(body) + _text(content), ""


def _wanted(body: Body) -> Half:
    metadata = body["metadata"]
    return _text(
        [
            metadata.get("generation"),
            metadata.get("deletionTimestamp"),
            metadata.get("labels"),
            metadata.get("ownerReferences"),
        ]
    )


def _text(value: Any) -> str:  # noqa: ANN401 - any JSON
    return json.dumps(value, sort_keys=True, separators=(",", ":")) if value else ""
