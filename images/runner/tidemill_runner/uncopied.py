"""Objects of a version that was not copied: they lie in somebody's bucket, and may be others now.

Whatever is there is read whole and proved by its digest, as copies are; an entity tag proves
nothing, since the same bytes uploaded again may have another one.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from tidemill.store import errors
from tidemill.store.manifest import Entry, Place
from tidemill_runner import keys
from tidemill_runner.failures import Failure
from tidemill_runner.inputs import DatasetVersion
from tidemill_runner.storage import Storage


@dataclass(frozen=True)
class Uncopied:
    """The objects of one version, where they were when it was made."""

    place: Place
    wanted: DatasetVersion
    ca_file: str | None

    def fetch(self, entry: Entry, path: Path, seen: Callable[[int], None]) -> None:
        """Copy an object to a file; raises SourceMutated unless it is the one it was."""
        key = self.place.key(entry)
        try:
            hasher = self._bucket.download(key, path, seen=seen)
        except errors.NotFound:
            raise self._mutated(key, "is gone") from None
        except (errors.AccessDenied, errors.BucketMissing) as error:
            raise self._refused(error) from None
        if hasher.digest != entry.digest:
            raise self._mutated(key, f"has digest {hasher.digest}, not {entry.digest}")

    # It is asked for nothing but large files, so that it holds nothing that must be closed.
    @cached_property
    def _bucket(self) -> Storage:
        return Storage(keys.config(self.place, self.wanted.keys, self.ca_file))

    @property
    def _which(self) -> str:
        return f"version {self.wanted.version[7:19]} of Dataset {self.wanted.name}"

    def _mutated(self, key: str, what: str) -> Failure:
        return Failure(
            "SourceMutated",
            f"s3://{self.place.bucket}/{key} {what}: {self._which} was made of it and not copied "
            "(spec.pin: None): put it back, or use another version; with spec.pin: Copy a version "
            "can always be read back",
        )

    def _refused(self, error: errors.StoreError) -> Failure:
        if isinstance(error, errors.BucketMissing):
            return Failure("BucketMissing", f"{error}: {self._which} was not copied: create it")
        secret = f"spec.source.s3.credentialsRef of Dataset {self.wanted.name}"
        told = f"the Secret of {secret}" if self.wanted.keys else f"{secret} (none is given)"
        return Failure("AccessDenied", f"{error}: {self._which} was not copied: correct {told}")
