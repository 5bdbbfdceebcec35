"""The bucket that tests deliver data to, in the cluster's MinIO, and a user who may read it."""

import base64
import io
import secrets
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass

from minio import Minio, MinioAdmin
from minio.credentials import StaticProvider
from tests.apiserver.kubectl import Kubectl
from tests.e2e.specs import RAW_BUCKET
from tests.support.buckets import make_bucket
from tests.support.ports import free_port

SYSTEM = "tidemill-system"
REGION = "us-east-1"
OWN_BUCKETS = "e2e-"  # how the names of buckets begin that a test makes for itself


@dataclass(frozen=True)
class RawStore:
    """MinIO as its administrator sees it, and the keys of users with fewer rights."""

    client: Minio
    reader: Mapping[str, str]
    lister: Mapping[str, str]  # sees what there is and may read none of it

    def put(self, key: str, data: bytes | str, *, bucket: str = RAW_BUCKET) -> None:
        """Deliver an object."""
        content = data.encode() if isinstance(data, str) else data
        self.client.put_object(
            bucket_name=bucket, object_name=key, data=io.BytesIO(content), length=len(content)
        )

    def get(self, key: str, *, bucket: str) -> bytes:
        """Read an object."""
        with closing(self.client.get_object(bucket_name=bucket, object_name=key)) as answer:
            return bytes(answer.read())

    def keys(self, prefix: str, *, bucket: str) -> list[str]:
        """List keys under a prefix."""
        found = self.client.list_objects(bucket_name=bucket, prefix=prefix, recursive=True)
        return sorted(str(item.object_name) for item in found)

    def remove(self, key: str, *, bucket: str = RAW_BUCKET) -> None:
        """Remove an object."""
        self.client.remove_object(bucket_name=bucket, object_name=key)


@contextmanager
def raw_store(kubectl: Kubectl) -> Iterator[RawStore]:
    """Reach MinIO from here, make the bucket and its reader."""
    root = _secret(kubectl, "minio-root")
    user, password = root["root-user"], root["root-password"]
    with _endpoint(kubectl) as address:
        client = Minio(
            endpoint=address, access_key=user, secret_key=password, secure=False, region=REGION
        )
        make_bucket(client, RAW_BUCKET)
        admin = MinioAdmin(
            endpoint=address, credentials=StaticProvider(user, password), secure=False
        )
        # Every test process has users of its own: they run beside each other.
        token = secrets.token_hex(4)
        reader, lister = f"e2e-reader-{token}", f"e2e-lister-{token}"
        try:
            yield RawStore(
                client,
                _user(admin, reader, "e2e-raw-reader", ["s3:GetObject", "s3:ListBucket"]),
                _user(admin, lister, "e2e-raw-lister", ["s3:ListBucket"]),
            )
        finally:
            admin.user_remove(access_key=reader)
            admin.user_remove(access_key=lister)


def _user(admin: MinioAdmin, name: str, policy: str, actions: list[str]) -> dict[str, str]:
    password = secrets.token_hex(16)
    buckets = (RAW_BUCKET, f"{RAW_BUCKET}/*", f"{OWN_BUCKETS}*")
    statement = {
        "Effect": "Allow",
        "Action": actions,
        "Resource": [f"arn:aws:s3:::{bucket}" for bucket in buckets],
    }
    document = {"Version": "2012-10-17", "Statement": [statement]}
    admin.policy_add(policy_name=policy, policy=document)
    admin.user_add(access_key=name, secret_key=password)
    admin.attach_policy(policies=[policy], user=name)
    return {"AWS_ACCESS_KEY_ID": name, "AWS_SECRET_ACCESS_KEY": password}


def _secret(kubectl: Kubectl, name: str) -> dict[str, str]:
    data = kubectl.get("secret", name, "-n", SYSTEM)["data"]
    return {key: base64.b64decode(value).decode() for key, value in data.items()}


@contextmanager
def _endpoint(kubectl: Kubectl) -> Iterator[str]:
    """Give host:port of MinIO: the Service's own where this machine is a node, else forwarded."""
    address = kubectl.get("service", "minio", "-n", SYSTEM)["spec"]["clusterIP"]
    if _answers(address, 9000):
        yield f"{address}:9000"
        return
    port = free_port()
    forward = subprocess.Popen(
        [
            *(kubectl.program, f"--kubeconfig={kubectl.kubeconfig}", "-n", SYSTEM),
            *("port-forward", "service/minio", f"{port}:9000"),
        ],
        stdout=subprocess.DEVNULL,
    )
    try:
        deadline = time.monotonic() + 20
        while not _answers("127.0.0.1", port) and time.monotonic() < deadline:
            time.sleep(0.2)
        yield f"127.0.0.1:{port}"
    finally:
        forward.terminate()
        forward.wait()


def _answers(host: str, port: int) -> bool:
    try:
        with socket.create_connection((host, port), timeout=1):
            return True
    except OSError:
        return False
