"""Someone's bucket, read and never written, with their keys or none."""

from dataclasses import dataclass
from pathlib import Path

from tidemill.store import errors, listing
from tidemill.store.objects import ObjectInfo
from tidemill_runner.failures import Failure
from tidemill_runner.files.delivery import Delivery
from tidemill_runner.inputs import S3Source
from tidemill_runner.sources.origin import changed
from tidemill_runner.storage import Seen, Storage


@dataclass(frozen=True)
class S3Origin:
    """The objects under a prefix."""

    storage: Storage
    source: S3Source
    fingerprint: str

    @property
    def where(self) -> str:
        return f"the files under s3://{self.source.bucket}/{self.source.prefix}"

    @property
    def delivery(self) -> Delivery:
        return self.source.delivery

    def objects(self) -> list[ObjectInfo]:
        prefix = self.source.prefix
        try:
            listed = self.storage.list(prefix)
        except (errors.AccessDenied, errors.BucketMissing) as error:
            raise _refused(error) from None
        found = listing.data_objects(listed, prefix, self.source.include)
        where = f"s3://{self.source.bucket}/{prefix}"
        if not found:
            raise Failure("PrefixEmpty", listing.nothing_left(where, listed, prefix))
        if listing.fingerprint(found, prefix) != self.fingerprint:
            raise changed(f"the objects under {where} are not those that were listed before")
        return found

    def fetch(self, info: ObjectInfo, path: Path, seen: Seen) -> str:
        bounded = _bounded(info, seen)
        try:
            hasher = self.storage.download(info.key, path, etag=info.etag or None, seen=bounded)
        except (errors.Changed, errors.NotFound):
            raise changed(f"{info.key} was replaced or removed while it was read") from None
        except (errors.AccessDenied, errors.BucketMissing) as error:
            raise _refused(error) from None
        if hasher.size != info.size:
            raise changed(f"{info.key} has {hasher.size} bytes, it was listed with {info.size}")
        return hasher.digest


def _bounded(info: ObjectInfo, seen: Seen) -> Seen:
    """End a download that gives more than was listed, before it fills the disk."""
    done = 0

    def take(amount: int) -> None:
        nonlocal done
        done += amount
        if done > info.size:
            raise changed(f"{info.key} gives more than the {info.size} bytes it was listed with")
        seen(amount)

    return take


def _refused(error: errors.StoreError) -> Failure:
    if isinstance(error, errors.BucketMissing):
        return Failure("BucketMissing", f"{error}: create it or correct spec.source.s3.bucket")
    return Failure(
        "AccessDenied",
        f"{error}: correct the Secret of spec.source.s3.credentialsRef",
    )
