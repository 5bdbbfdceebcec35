"""Prepares MinIO for Tidemill: the bucket, and a user who may use that bucket and nothing else.

Runs in a Job with the root keys mounted; the operator never sees those. It can be repeated: what is
there already stays, and the user's key becomes the one in the Secret.
"""

import argparse
import sys
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from minio import Minio, MinioAdmin
from minio.credentials.providers import StaticProvider
from minio.error import S3Error

POLICY = "tidemill"


def bucket_policy(bucket: str) -> dict[str, Any]:
    """Give the policy that allows all of S3 on one bucket."""
    arn = f"arn:aws:s3:::{bucket}"
    statement = {"Effect": "Allow", "Action": ["s3:*"], "Resource": [arn, f"{arn}/*"]}
    return {"Version": "2012-10-17", "Statement": [statement]}


def prepare(config: Path, credentials: Path, root: Path) -> None:
    """Make bucket, policy and user, in this order: a user never has a policy that is not there."""
    endpoint = urlsplit(_read(config / "endpoint"))
    bucket = _read(config / "bucket")
    user, password = _read(root / "root-user"), _read(root / "root-password")
    secure = endpoint.scheme == "https"
    region = _read(config / "region")

    client = Minio(
        endpoint=endpoint.netloc,
        access_key=user,
        secret_key=password,
        secure=secure,
        region=region,
    )
    try:
        client.make_bucket(bucket)
    except S3Error as error:
        if error.code != "BucketAlreadyOwnedByYou":
            raise
    _say(f"bucket {bucket}: there")

    admin = MinioAdmin(
        endpoint=endpoint.netloc,
        credentials=StaticProvider(access_key=user, secret_key=password),
        secure=secure,
        region=region,
    )
    admin.policy_add(POLICY, policy=bucket_policy(bucket))
    access_key = _read(credentials / "access-key")
    admin.user_add(access_key, _read(credentials / "secret-key"))
    admin.policy_set(POLICY, user=access_key)
    _say(f"user {access_key}: may use the bucket {bucket}")


def _read(path: Path) -> str:
    return path.read_text(encoding="utf-8").strip()


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")


def main() -> None:
    """Read where things are mounted, and prepare."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--mounts", type=Path, default=Path("/etc/tidemill"))
    mounts = parser.parse_args().mounts
    prepare(mounts / "store-config", mounts / "store-credentials", mounts / "minio-root")


if __name__ == "__main__":
    main()
