"""Making the cluster agree with a manifest, with a write only when it does not.

The digest of the manifest last applied stands in an annotation of the object: another digest means
that we want something else, an equal one with a differing field means that somebody edited the
object. Both are mended by the same apply; what we do not set is left alone.

A name can be taken. An object that is not controlled by our owner is never touched.
"""

import enum
import hashlib
import json
import logging
from collections.abc import Mapping
from typing import Any

from tidemill.api.v1alpha1.reasons import Reason
from tidemill.engine.errors import Retry, Stalled
from tidemill.kube import resources
from tidemill.kube.client import Body, Client
from tidemill.kube.drift import EXACT, drift
from tidemill.kube.errors import Conflict, Forbidden, Invalid
from tidemill.kube.owners import controller, owner_of

APPLIED = "tidemill.dev/applied"
NAMESPACE_GOES = "because it is being terminated"
GOING_SECONDS = 2.0  # how soon to look again whether a namesake has gone

logger = logging.getLogger(__name__)


class Change(enum.Enum):
    """What `ensure` had to do; true when it had to write."""

    NONE = ""
    CREATED = "Created"
    UPDATED = "Updated"  # we want something else than before
    CORRECTED = "Corrected"  # somebody edited a field of ours

    def __bool__(self) -> bool:
        """Tell whether anything was written."""
        return self is not Change.NONE


async def ensure(client: Client, desired: Body, live: Mapping[str, Any] | None) -> Change:
    """Make the object be as `desired` says; `live` is the object as just read, None when absent.

    Raises `Stalled` when the name belongs to somebody else (NameConflict), when the API server
    finds the manifest invalid (SpecInvalid: what can be wrong in it comes from a spec) or forbids
    it (Forbidden: rights, quota, admission), and `Retry` while an object of that name is on its way
    out.
    """
    try:
        return await _ensure(client, desired, live)
    except Invalid as error:
        message = f"{error.message}: correct what spec says of {_name(desired)}"
        raise Stalled(Reason.SPEC_INVALID, message) from error
    except Forbidden as error:
        if NAMESPACE_GOES in error.message:
            raise
        raise Stalled(Reason.FORBIDDEN, error.message) from error


async def _ensure(client: Client, desired: Body, live: Mapping[str, Any] | None) -> Change:
    resource = resources.of(desired)
    manifest = stamp(desired)
    if live is None:
        live = await _create(client, resource, manifest)
        if live is None:
            logger.info("Created %s", _name(desired))
            return Change.CREATED
    _refuse_foreign(desired, live)
    difference = drift(manifest, live)
    if difference is None:
        return Change.NONE
    answer = await _apply(client, resource, manifest)
    if drift(manifest, answer) == EXACT:
        answer = await _prune_selector(client, resource, manifest, answer)
    if still := drift(manifest, answer):
        logger.warning("%s reads back different at %s after an apply", _name(desired), still)
    wanted = manifest["metadata"]["annotations"][APPLIED]
    if live["metadata"].get("annotations", {}).get(APPLIED) == wanted:
        logger.info("Corrected %s: %s had been edited", _name(desired), difference)
        return Change.CORRECTED
    logger.info("Updated %s", _name(desired))
    return Change.UPDATED


async def _apply(client: Client, resource: resources.Resource, manifest: Body) -> Body:
    """Apply over what is there.

    An apply tells the items of a list apart by their merge key. When that very key was edited (the
    port number in a Service), it adds ours beside theirs and the API server refuses the pair: then
    the lists are replaced whole.
    """
    try:
        return await client.apply(resource, manifest)
    except Invalid:
        metadata = manifest["metadata"]
        change = {key: manifest[key] for key in manifest if key not in {"apiVersion", "kind"}}
        return await client.patch(resource, metadata.get("namespace"), metadata["name"], change)


async def _prune_selector(
    client: Client, resource: resources.Resource, manifest: Body, live: Body
) -> Body:
    """Take foreign keys out of a selector, which an apply leaves where they are."""
    metadata = manifest["metadata"]
    wanted = manifest["spec"]["selector"]
    selector = {**dict.fromkeys(live["spec"]["selector"]), **wanted}
    change = {"spec": {"selector": selector}}
    return await client.patch(resource, metadata.get("namespace"), metadata["name"], change)


def stamp(desired: Body) -> Body:
    """Give the manifest with its digest in the annotation."""
    text = json.dumps(desired, sort_keys=True, separators=(",", ":"))
    digest = hashlib.sha256(text.encode()).hexdigest()[:32]
    metadata = desired["metadata"]
    annotations = {**metadata.get("annotations", {}), APPLIED: digest}
    return {**desired, "metadata": {**metadata, "annotations": annotations}}


async def _create(client: Client, resource: resources.Resource, manifest: Body) -> Body | None:
    """Create the object unless its name is taken; then give the one that has it.

    A Job is never changed later, so it is created outright: two that race cannot both win.
    Anything else is applied from the start: no apply can drop a field that a create has set.
    """
    metadata = manifest["metadata"]
    namespace, name = metadata.get("namespace"), metadata["name"]
    if resource is not resources.JOBS:
        taken = await client.get(resource, namespace, name)
        if taken is None:
            await client.apply(resource, manifest)
        return taken
    try:
        await client.create(resource, manifest)
    except Conflict:
        taken = await client.get(resource, namespace, name)
        if taken is None:
            raise
        return taken
    return None


def _refuse_foreign(desired: Mapping[str, Any], live: Mapping[str, Any]) -> None:
    """Refuse to touch what is not our owner's, or is being deleted."""
    ours, theirs = controller(desired), controller(live)
    if owner_of(desired) != owner_of(live):
        if (ours.get("kind"), ours.get("name")) == (theirs.get("kind"), theirs.get("name")):
            message = f"{_name(live)} belongs to a deleted {theirs['kind']} of the same name"
            raise Retry(f"{message}; waiting until it is gone", after=GOING_SECONDS)
        owner = f"to {theirs['kind']} {theirs['name']}" if theirs else "to nobody of ours"
        message = f"{_name(live)} exists already and belongs {owner}: remove or rename one of them"
        raise Stalled(Reason.NAME_CONFLICT, message)
    if "deletionTimestamp" in live["metadata"]:
        message = f"{_name(live)} is being deleted; waiting until it is gone"
        raise Retry(message, after=GOING_SECONDS)


def _name(body: Mapping[str, Any]) -> str:
    metadata = body["metadata"]
    return f"{body['kind']} {metadata.get('namespace', '')}/{metadata['name']}"
