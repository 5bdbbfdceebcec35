"""Puts one file into a bucket of MinIO, and makes a user who may read that bucket and nothing else.

Run by the demonstration, in an environment that has the package `minio`; keys come by the
environment.
"""

import hashlib
import json
import os
import sys
from pathlib import Path

from minio import Minio, MinioAdmin
from minio.credentials import StaticProvider
from minio.error import S3Error


def policy(bucket: str) -> dict[str, object]:
    statement = {
        "Effect": "Allow",
        "Action": ["s3:GetObject", "s3:ListBucket"],
        "Resource": [f"arn:aws:s3:::{bucket}", f"arn:aws:s3:::{bucket}/*"],
    }
    return {"Version": "2012-10-17", "Statement": [statement]}


def upload(client: Minio, file: Path, bucket: str, key: str) -> None:
    """Uploads the file unless the same bytes are there: a new upload would be a new listing."""
    try:
        client.make_bucket(bucket_name=bucket)
    except S3Error as error:
        if error.code != "BucketAlreadyOwnedByYou":
            raise
    try:
        present = client.stat_object(bucket_name=bucket, object_name=key).etag
    except S3Error as error:
        if error.code != "NoSuchKey":
            raise
        present = None
    wanted = hashlib.md5(file.read_bytes(), usedforsecurity=False).hexdigest()
    if present != wanted:
        client.fput_object(bucket_name=bucket, object_name=key, file_path=str(file))


def allow_reading(admin: MinioAdmin, user: str, password: str, bucket: str) -> None:
    name = f"read-{bucket}"
    admin.policy_add(policy_name=name, policy=policy(bucket))
    admin.user_add(access_key=user, secret_key=password)
    attached = json.loads(admin.get_policy_entities(users=[user], groups=[], policies=[]))
    if name not in json.dumps(attached.get("userMappings")):
        admin.attach_policy(policies=[name], user=user)


def main() -> int:
    file, bucket, key = Path(sys.argv[1]), sys.argv[2], sys.argv[3]
    given = os.environ
    user, password = given["MINIO_USER"], given["MINIO_PASSWORD"]
    address = given["MINIO_ADDRESS"]
    client = Minio(endpoint=address, access_key=user, secret_key=password, secure=False)
    upload(client, file, bucket, key)
    admin = MinioAdmin(endpoint=address, credentials=StaticProvider(user, password), secure=False)
    allow_reading(admin, given["READER_USER"], given["READER_PASSWORD"], bucket)
    return 0


if __name__ == "__main__":
    sys.exit(main())
