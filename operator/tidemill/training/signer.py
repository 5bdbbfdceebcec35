"""The Secret whose key signs a run's package: that it is there, and holds what looks like a key.

The operator has no library that reads keys: the runner does, before it reads any data. What can be
told by the text of the PEM is told here, before there is a Job.
"""

from collections.abc import Mapping
from typing import Any

from tidemill.api.v1alpha1.reasons import Reason
from tidemill.api.v1alpha1.signing import Signing
from tidemill.api.v1alpha1.training_run import TrainingRunSpec
from tidemill.children.credentials import secret_values
from tidemill.engine.errors import Stalled
from tidemill.jobs.manifests import SIGNING_DIR
from tidemill.kube.client import Client
from tidemill.kube.resources import SECRETS

FIELD = "spec.signing.keyRef"
ENCRYPTED = "-----BEGIN ENCRYPTED PRIVATE KEY-----"
_KEYS = (ENCRYPTED, "-----BEGIN PRIVATE KEY-----", "-----BEGIN EC PRIVATE KEY-----")
# How openssl has marked encrypted keys of the older form.
_ENCRYPTED_OF_OLD = "Proc-Type: 4,ENCRYPTED"


async def state(client: Client, namespace: str, signing: Signing) -> str:
    """Give what tells one state of the Secret from another; raises Stalled where it is no key."""
    reference = signing.key_ref
    secret: Mapping[str, Any] | None = await client.get(SECRETS, namespace, reference.name)
    if secret is None:
        message = (
            f"{FIELD}: there is no Secret {reference.name} in this namespace: create it with "
            f"`kubectl create secret generic {reference.name} --from-file={reference.key}=…`"
        )
        raise Stalled(Reason.SECRET_MISSING, message)
    wanted = (reference.key, *filter(None, [reference.password_key]))
    try:
        values = secret_values(secret, wanted)
    except Stalled as error:
        raise Stalled(error.reason, f"{FIELD}: {error.message}") from None
    _check(values[reference.key], signing)
    metadata = secret["metadata"]
    return f"{metadata['uid']}.{metadata['resourceVersion']}"


def _check(pem: str, signing: Signing) -> None:
    where = _called(signing)
    # What openssl writes before it, such as the curve's parameters, is read over.
    if not any(head in pem for head in _KEYS):
        message = f"{where} holds no private key in PEM (elliptic curve P-256)"
        raise Stalled(Reason.SECRET_INVALID, message)
    if (ENCRYPTED in pem or _ENCRYPTED_OF_OLD in pem) and not signing.key_ref.password_key:
        message = f"{where} is encrypted: name the key with its password in passwordKey"
        raise Stalled(Reason.SECRET_INVALID, message)


def document(spec: TrainingRunSpec) -> dict[str, Any]:
    """Give what the runner is told: where the key is, and what to call it."""
    if spec.signing is None:
        return {}
    return {"signing": {"folder": SIGNING_DIR, "called": _called(spec.signing)}}


def _called(signing: Signing) -> str:
    return f"{FIELD}: the key {signing.key_ref.key} of the Secret {signing.key_ref.name}"
