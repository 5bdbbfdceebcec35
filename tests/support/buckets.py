"""Buckets that several test processes want at once."""

from minio import Minio
from minio.error import S3Error


def make_bucket(client: Minio, name: str) -> None:
    """Make the bucket unless it is there.

    It is made and the refusal read, never looked for first: between the look and the making
    another process makes it.
    """
    try:
        client.make_bucket(bucket_name=name)
    except S3Error as error:
        if error.code != "BucketAlreadyOwnedByYou":
            raise
