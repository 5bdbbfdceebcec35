"""The source of an ingest: someone's bucket, read and never written, with their keys or none."""

from collections.abc import Sequence
from pathlib import Path

from tidemill.store import errors, listing
from tidemill.store.config import StoreConfig
from tidemill.store.objects import ObjectInfo
from tidemill_runner.failures import Failure
from tidemill_runner.inputs import Source
from tidemill_runner.storage import Seen, Storage

KEYS = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN")


def config(source: Source, directory: Path, ca_file: str | None) -> StoreConfig:
    """Where and how to read; without a directory of keys, as anybody."""
    values = {name: _read(directory / name) for name in KEYS}
    return StoreConfig(
        endpoint=source.endpoint.rstrip("/"),
        region=source.region,
        bucket=source.bucket,
        path_style=source.path_style,
        access_key=values["AWS_ACCESS_KEY_ID"],
        secret_key=values["AWS_SECRET_ACCESS_KEY"],
        session_token=values["AWS_SESSION_TOKEN"] or None,
        ca_file=ca_file,
    )


def objects(storage: Storage, source: Source, fingerprint: str) -> list[ObjectInfo]:
    """The data under the prefix; SourceChanged unless it is what the operator has seen."""
    try:
        found = listing.data_objects(storage.list(source.prefix), source.prefix)
    except (errors.AccessDenied, errors.BucketMissing) as error:
        raise _refused(error) from None
    where = f"s3://{source.bucket}/{source.prefix}"
    if not found:
        raise Failure(
            "PrefixEmpty", f"no object lies under {where}: deliver data or correct the prefix"
        )
    if listing.fingerprint(found, source.prefix) != fingerprint:
        raise changed(f"the objects under {where} are not those that were listed before")
    return found


def fetch(storage: Storage, info: ObjectInfo, path: Path, seen: Seen) -> str:
    """Copy an object to a file and give its digest; it must still be the one listed."""
    try:
        hasher = storage.download(info.key, path, etag=info.etag or None, seen=seen)
    except (errors.Changed, errors.NotFound):
        raise changed(f"{info.key} was replaced or removed while it was read") from None
    except (errors.AccessDenied, errors.BucketMissing) as error:
        raise _refused(error) from None
    if hasher.size != info.size:
        raise changed(f"{info.key} has {hasher.size} bytes, it was listed with {info.size}")
    return hasher.digest


def changed(detail: str) -> Failure:
    return Failure("SourceChanged", f"{detail}: it is read again once the source settles")


def total_bytes(found: Sequence[ObjectInfo]) -> int:
    return sum(info.size for info in found)


def _refused(error: errors.StoreError) -> Failure:
    if isinstance(error, errors.BucketMissing):
        return Failure("BucketMissing", f"{error}: create it or correct spec.source.s3.bucket")
    return Failure(
        "AccessDenied",
        f"{error}: correct the Secret of spec.source.s3.credentialsRef",
    )


def _read(path: Path) -> str:
    return path.read_text(encoding="utf-8").strip() if path.is_file() else ""
