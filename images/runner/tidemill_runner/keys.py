"""The keys that open somebody's bucket, as a folder of a pod has them."""

from pathlib import Path
from typing import Protocol

from tidemill.store.config import StoreConfig

NAMES = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN")


class Bucket(Protocol):
    """Where a bucket is."""

    @property
    def endpoint(self) -> str: ...
    @property
    def region(self) -> str: ...
    @property
    def bucket(self) -> str: ...
    @property
    def path_style(self) -> bool: ...


def config(bucket: Bucket, directory: Path | None, ca_file: str | None) -> StoreConfig:
    """Where and how to read; without a directory of keys, as anybody."""
    values = {name: _read(directory / name) if directory else "" for name in NAMES}
    return StoreConfig(
        endpoint=bucket.endpoint.rstrip("/"),
        region=bucket.region,
        bucket=bucket.bucket,
        path_style=bucket.path_style,
        access_key=values["AWS_ACCESS_KEY_ID"],
        secret_key=values["AWS_SECRET_ACCESS_KEY"],
        session_token=values["AWS_SESSION_TOKEN"] or None,
        ca_file=ca_file,
    )


def _read(path: Path) -> str:
    return path.read_text(encoding="utf-8").strip() if path.is_file() else ""
