"""What the pods of a model are told of who may ask it.

The Secrets are volumes, so that what changes in them holds without a new pod. A pod that lacks its
Secret would never start, so a missing one is told before there is a pod.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tidemill.api.v1alpha1.conditions import Verdict, stalled
from tidemill.api.v1alpha1.model_deployment import ModelDeploymentSpec
from tidemill.api.v1alpha1.reasons import Reason
from tidemill.children.credentials import secret_values
from tidemill.engine.errors import Stalled
from tidemill.kube.client import Client
from tidemill.kube.resources import SECRETS

FOLDER = "/etc/tidemill"
HEALTH_PORT = 8082
CERTIFICATE, KEY, AUTHORITIES, KEYS = "tls.crt", "tls.key", "ca.crt", "jwks.json"


@dataclass(frozen=True, slots=True)
class _Mounted:
    """A Secret in the pod; `keys` are those that it must have, none: one at least."""

    volume: str
    field: str
    secret: str
    keys: tuple[str, ...] = ()

    @property
    def folder(self) -> str:
        return f"{FOLDER}/{self.volume}"


def _mounted(spec: ModelDeploymentSpec) -> Iterator[_Mounted]:
    """Find the Secrets that the spec names."""
    if spec.access is not None and spec.access.tokens_ref is not None:
        yield _Mounted("tokens", "spec.access.tokensRef", spec.access.tokens_ref.name)
    oidc = spec.access.oidc if spec.access else None
    if oidc is not None and oidc.keys_ref is not None:
        yield _Mounted("issuer-keys", "spec.access.oidc.keysRef", oidc.keys_ref.name, (KEYS,))
    if oidc is not None and oidc.authorities_ref is not None:
        field, name = "spec.access.oidc.authoritiesRef", oidc.authorities_ref.name
        yield _Mounted("issuer-authorities", field, name, (AUTHORITIES,))
    if spec.tls is not None:
        keys = (CERTIFICATE, KEY, *((AUTHORITIES,) if spec.tls.clients == "Required" else ()))
        yield _Mounted("tls", "spec.tls.secretRef", spec.tls.secret_ref.name, keys)


def environment(spec: ModelDeploymentSpec, networks: Sequence[str]) -> dict[str, str]:
    """Give the variables; `networks` are those that the administrator has opened."""
    told: dict[str, str] = {}
    folders = {one.volume: one.folder for one in _mounted(spec)}
    access = spec.access
    if "tokens" in folders:
        told["TIDEMILL_TOKENS"] = folders["tokens"]
    if access is not None and access.origins:
        told["TIDEMILL_CORS_ORIGINS"] = json.dumps(access.origins)
    if access is not None and access.oidc is not None:
        oidc = access.oidc
        told["TIDEMILL_OIDC_ISSUER"] = oidc.issuer
        told["TIDEMILL_OIDC_AUDIENCES"] = json.dumps(oidc.audiences)
        if oidc.subjects:
            told["TIDEMILL_OIDC_SUBJECTS"] = json.dumps(oidc.subjects)
        if "issuer-keys" in folders:
            told["TIDEMILL_OIDC_KEYS"] = f"{folders['issuer-keys']}/{KEYS}"
        if "issuer-authorities" in folders:
            told["TIDEMILL_OIDC_AUTHORITIES"] = f"{folders['issuer-authorities']}/{AUTHORITIES}"
    if asks_outside(spec) and networks:
        told["TIDEMILL_HTTP_ALLOWED_NETWORKS"] = ",".join(networks)
    if spec.tls is not None:
        told["TIDEMILL_TLS"] = folders["tls"]
        told["TIDEMILL_TLS_CLIENTS"] = spec.tls.clients
        told["TIDEMILL_HEALTH_PORT"] = str(HEALTH_PORT)
    return told


def asks_outside(spec: ModelDeploymentSpec) -> bool:
    """Tell whether the server asks the issuer for its keys."""
    oidc = spec.access.oidc if spec.access else None
    return oidc is not None and oidc.keys_ref is None


def volumes(spec: ModelDeploymentSpec) -> list[dict[str, Any]]:
    """Give the volumes of the Secrets that are named."""
    return [{"name": one.volume, "secret": {"secretName": one.secret}} for one in _mounted(spec)]


def mounts(spec: ModelDeploymentSpec) -> list[dict[str, Any]]:
    """Give where they are in the container."""
    return [
        {"name": one.volume, "mountPath": one.folder, "readOnly": True} for one in _mounted(spec)
    ]


async def secret_fault(client: Client, namespace: str, spec: ModelDeploymentSpec) -> Verdict | None:
    """Say what is wrong with the first Secret of which anything is."""
    for one in _mounted(spec):
        secret: Mapping[str, Any] | None = await client.get(SECRETS, namespace, one.secret)
        keys = f"the keys {' and '.join(one.keys)}" if one.keys else "a key for each caller"
        if secret is None:
            message = (
                f"{one.field} names the Secret {one.secret}, which does not exist in namespace "
                f"{namespace}: create it with {keys}"
            )
            return stalled(Reason.SECRET_MISSING, message)
        if not one.keys and not secret.get("data"):
            message = f"{one.field}: the Secret {one.secret} is empty: give it {keys}"
            return stalled(Reason.SECRET_INVALID, message)
        try:
            secret_values(secret, one.keys)
        except Stalled as error:
            return stalled(error.reason, f"{one.field}: {error.message}")
    return None
