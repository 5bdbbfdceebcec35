"""Credentials for one child: short-lived and scoped, or the namespace's, never the operator's."""

import asyncio
import base64
from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Any

from tidemill.api.v1alpha1.reasons import Reason
from tidemill.children.platform import Platform
from tidemill.children.status import Passing
from tidemill.engine.context import Context
from tidemill.engine.errors import Stalled
from tidemill.kube.resources import SECRETS
from tidemill.store.credentials import Policy, TemporaryStore, assume_role
from tidemill.store.errors import AccessDenied, BucketMissing, StoreError

FALLBACK_SECRET = "tidemill-store"  # noqa: S105 - the name of a Secret
FALLBACK_KEYS = ("access-key", "secret-key")


async def scoped_store(
    context: Context, platform: Platform, namespace: str, policy: Policy, seconds: int
) -> TemporaryStore:
    """Get credentials that can do what the policy says for so long; raises Passing or Stalled."""
    try:
        granted = await asyncio.to_thread(assume_role, platform.store_config, policy, seconds)
    except StoreError as error:
        raise trouble_of(error) from error
    if granted is not None:
        return granted
    secret = await context.client.get(SECRETS, namespace, FALLBACK_SECRET)
    if secret is None:
        message = (
            f"the store has no STS and the namespace {namespace} has no Secret {FALLBACK_SECRET}: "
            f"create it with the keys {' and '.join(FALLBACK_KEYS)}, limited to this namespace"
        )
        raise Stalled(Reason.STORE_CREDENTIALS_UNAVAILABLE, message)
    values = secret_values(secret, FALLBACK_KEYS)
    config = replace(
        platform.store_config,
        access_key=values["access-key"],
        secret_key=values["secret-key"],
        session_token=None,
    )
    # They last, but somebody may change them: they are read again as if they ended.
    return TemporaryStore(config, context.clock() + timedelta(seconds=seconds))


def trouble_of(error: StoreError) -> Stalled | Passing:
    """Say of Tidemill's own store what is wrong with it, and whether it may pass."""
    if isinstance(error, AccessDenied):
        message = f"{error}: correct the Secret {FALLBACK_SECRET} of the operator's namespace"
        return Stalled(Reason.ACCESS_DENIED, message)
    if isinstance(error, BucketMissing):
        message = f"Tidemill's own store: {error}: create it"
        return Stalled(Reason.BUCKET_MISSING, message)
    return Passing(Reason.STORE_UNAVAILABLE, f"Tidemill's own store: {error}; trying again")


def secret_values(secret: Mapping[str, Any], required: tuple[str, ...]) -> dict[str, str]:
    """Decode a Secret; raises Stalled naming the key that is missing or empty."""
    name = secret["metadata"]["name"]
    values = {
        key: base64.b64decode(value).decode("utf-8", "replace").strip()
        for key, value in (secret.get("data") or {}).items()
    }
    for key in required:
        if not values.get(key):
            message = f"the Secret {name} lacks the key {key}: add it with `kubectl edit`"
            raise Stalled(Reason.SECRET_INVALID, message)
    return values
