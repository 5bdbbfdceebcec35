"""What prepares MinIO at installation: the bucket, and a user with that bucket and nothing else."""

import io
import subprocess
import sys
from pathlib import Path

import pytest
from minio import Minio
from minio.error import MinioException
from tests.contract.s3_server import ROOT, S3Server

from tidemill.store.config import StoreConfig
from tidemill.store.credentials import assume_role, ingest_policy

PROGRAM = Path(__file__).parents[2] / "manifests/minio/setup/setup.py"
pytestmark = pytest.mark.only_minio("users, and policies of users")
BUCKET = "prepared"
USER = "tidemill-tests"


def prepare(server: S3Server, folder: Path, key: str) -> StoreConfig:
    """Run the program as its Job does; gives the operator's configuration."""
    mounts = {
        "store-config": {
            "endpoint": server.config.endpoint,
            "region": server.config.region,
            "bucket": BUCKET,
        },
        "store-credentials": {"access-key": USER, "secret-key": key},
        "minio-root": {"root-user": ROOT[0], "root-password": ROOT[1]},
    }
    for mount, values in mounts.items():
        (folder / mount).mkdir(exist_ok=True)
        for name, value in values.items():
            (folder / mount / name).write_text(value)
    done = subprocess.run(
        [sys.executable, str(PROGRAM), "--mounts", str(folder)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert key not in done.stdout
    return StoreConfig.from_dirs(folder / "store-config", folder / "store-credentials")


def put(config: StoreConfig, bucket: str, key: str) -> None:
    client = Minio(
        endpoint=config.host,
        access_key=config.access_key,
        secret_key=config.secret_key,
        session_token=config.session_token,
        secure=False,
        region=config.region,
    )
    client.put_object(bucket_name=bucket, object_name=key, data=io.BytesIO(b"x"), length=1)


def test_user_may_use_the_bucket_and_no_other(server: S3Server, tmp_path: Path) -> None:
    config = prepare(server, tmp_path, "key-of-the-operator")
    put(config, BUCKET, "anything")
    with pytest.raises(MinioException, match="AccessDenied"):
        put(config, server.config.bucket, "anything")


def test_user_can_hand_out_keys_for_a_prefix(server: S3Server, tmp_path: Path) -> None:
    config = prepare(server, tmp_path, "key-of-the-operator")
    granted = assume_role(config, ingest_policy(BUCKET, "demo", "elec2", "uid"), 900)
    assert granted is not None
    put(granted.config, BUCKET, "cas/demo/sha256/x")
    with pytest.raises(MinioException, match="AccessDenied"):
        put(granted.config, BUCKET, "models/demo/elec2/x")


def test_repeating_changes_the_key(server: S3Server, tmp_path: Path) -> None:
    old = prepare(server, tmp_path, "key-of-yesterday")
    new = prepare(server, tmp_path, "key-of-today")
    put(new, BUCKET, "again")
    with pytest.raises(MinioException, match="SignatureDoesNotMatch"):
        put(old, BUCKET, "again")
