"""The object store: where it is, and the Secrets with its keys, which never stand in a file."""

import base64
import os
import secrets
from collections.abc import Mapping
from dataclasses import dataclass

from .failure import InstallError
from .kubectl import Body, Kubectl

NAMESPACE = "tidemill-system"
STORE = "tidemill-store"
MINIO_ROOT = "minio-root"
KEYS = ("access-key", "secret-key")
_VARIABLES = ("TIDEMILL_STORE_ACCESS_KEY", "TIDEMILL_STORE_SECRET_KEY")


@dataclass(frozen=True)
class Place:
    """Where a bucket is, as the ConfigMap says it."""

    endpoint: str
    region: str
    bucket: str
    path_style: bool
    certificate: str | None = None

    def values(self) -> dict[str, str]:
        """Give the data of the ConfigMap."""
        values = {
            "endpoint": self.endpoint,
            "region": self.region,
            "bucket": self.bucket,
            "path-style": "true" if self.path_style else "false",
        }
        return values | {"ca.crt": self.certificate} if self.certificate else values


MINIO = Place(f"http://minio.{NAMESPACE}.svc:9000", "us-east-1", "tidemill", path_style=True)


def ensure_given_keys(kubectl: Kubectl, environment: Mapping[str, str] = os.environ) -> None:
    """Put the keys of the environment into the Secret, or see that they are there."""
    values = [environment.get(name, "") for name in _VARIABLES]
    if all(values):
        kubectl.apply(_secret(STORE, dict(zip(KEYS, values, strict=True))))
    elif kubectl.get("secret", STORE, "-n", NAMESPACE) is None:
        raise InstallError(
            f"the store's keys are not known: set {' and '.join(_VARIABLES)}, or "
            f"`kubectl create secret generic {STORE} -n {NAMESPACE} "
            "--from-file=access-key=FILE --from-file=secret-key=FILE`"
        )


def ensure_random_keys(kubectl: Kubectl) -> None:
    """Make the keys of MinIO itself and of the operator; those that are there stay."""
    fields = {MINIO_ROOT: ("root-user", "root-password"), STORE: KEYS}
    for name, (user, password) in fields.items():
        if kubectl.get("secret", name, "-n", NAMESPACE) is None:
            who = "root" if name == MINIO_ROOT else "tidemill"
            values = {user: f"{who}-{secrets.token_hex(4)}", password: secrets.token_hex(20)}
            kubectl.apply(_secret(name, values))


def version(kubectl: Kubectl) -> str:
    """Give a word that changes when ConfigMap or Secret do: they are read once, at start."""
    parts = []
    for kind in ("configmap", "secret"):
        body = kubectl.get(kind, STORE, "-n", NAMESPACE)
        parts.append(body["metadata"]["resourceVersion"] if body else "0")
    return "-".join(parts)


def _secret(name: str, values: Mapping[str, str]) -> Body:
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": name, "namespace": NAMESPACE},
        "type": "Opaque",
        "data": {key: base64.b64encode(v.encode()).decode() for key, v in values.items()},
    }
