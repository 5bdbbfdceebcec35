"""What the pods of a model are told of the online store that they look features up in.

The address is in their environment, the Secret a volume: a changed password is read without a new
pod. A pod that lacks its Secret would never start, so a missing one is told before there is a pod.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from tidemill.api.v1alpha1.conditions import Verdict, stalled
from tidemill.api.v1alpha1.durations import parse_duration
from tidemill.api.v1alpha1.reasons import Reason
from tidemill.api.v1alpha1.serving_features import ServingFeatures
from tidemill.children.credentials import secret_values
from tidemill.engine.errors import Stalled
from tidemill.kube.client import Client
from tidemill.kube.resources import SECRETS

FIELD = "spec.features.online.credentialsRef"
SECRET_DIR = "/etc/tidemill/online"  # noqa: S105 - a folder
PASSWORD = "password"  # noqa: S105 - the name of a key


def environment(
    features: ServingFeatures | None, namespace: str, networks: Sequence[str]
) -> dict[str, str]:
    """Give the variables; `networks` are those that the administrator has opened."""
    if features is None:
        return {}
    seconds = parse_duration(features.timeout).total_seconds()
    return {
        "TIDEMILL_ONLINE_ADDRESS": features.online.address,
        "TIDEMILL_ONLINE_TLS": features.online.tls,
        "TIDEMILL_ONLINE_NAMESPACE": namespace,
        "TIDEMILL_ONLINE_SECONDS": f"{seconds:g}",
        "TIDEMILL_ONLINE_UNAVAILABLE": features.on_unavailable,
        **({"TIDEMILL_ONLINE_SECRET": SECRET_DIR} if features.online.credentials_ref else {}),
        **({"TIDEMILL_HTTP_ALLOWED_NETWORKS": ",".join(networks)} if networks else {}),
    }


def volumes(features: ServingFeatures | None) -> list[dict[str, Any]]:
    """Give the volume of the Secret, if one is named."""
    if features is None or features.online.credentials_ref is None:
        return []
    return [{"name": "online", "secret": {"secretName": features.online.credentials_ref.name}}]


def mounts(features: ServingFeatures | None) -> list[dict[str, Any]]:
    """Give where it is in the container."""
    return [
        {"name": volume["name"], "mountPath": SECRET_DIR, "readOnly": True}
        for volume in volumes(features)
    ]


async def secret_fault(
    client: Client, namespace: str, features: ServingFeatures | None
) -> Verdict | None:
    """Say what is wrong with the Secret, if anything is."""
    if features is None or features.online.credentials_ref is None:
        return None
    name = features.online.credentials_ref.name
    secret: Mapping[str, Any] | None = await client.get(SECRETS, namespace, name)
    if secret is None:
        message = (
            f"{FIELD} names the Secret {name}, which does not exist in namespace {namespace}: "
            f"create it with the key {PASSWORD}"
        )
        return stalled(Reason.SECRET_MISSING, message)
    try:
        secret_values(secret, (PASSWORD,))
    except Stalled as error:
        return stalled(error.reason, f"{FIELD}: {error.message}")
    return None
