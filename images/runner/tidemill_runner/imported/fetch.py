"""The model brought from its bucket, with the user's keys: bounded, and proved where it can be."""

from dataclasses import dataclass, replace
from pathlib import Path

from tidemill.store import errors, package
from tidemill_runner import keys
from tidemill_runner.failures import Failure
from tidemill_runner.imported import kinds, mlflow_model
from tidemill_runner.imported.asked import FIELD, Import
from tidemill_runner.imported.kinds import ModelFile
from tidemill_runner.storage import Seen, Storage


@dataclass(frozen=True)
class Fetched:
    """The file, and the digest of its bytes: what was imported."""

    file: ModelFile
    digest: str


def opened(asked: Import, ca_file: str | None) -> Storage:
    """The bucket, opened by the keys that are given, or as anybody."""
    return Storage(keys.config(asked, asked.keys, ca_file))


def fetch(asked: Import, bucket: Storage, folder: Path) -> Fetched:
    """Bring the file into the folder; raises Failure."""
    folder.mkdir()
    key, features = asked.key or "", None
    if asked.prefix is not None:
        prefix = asked.prefix if asked.prefix.endswith("/") else f"{asked.prefix}/"
        described = _described(asked, bucket, prefix)
        key, features = f"{prefix}{described.file}", described.features
    called = f"s3://{asked.bucket}/{key}"
    kinds.refuse_pickle_name(key, called)
    try:
        hasher = bucket.download(key, folder / "model", seen=_bounded(called))
    except errors.StoreError as error:
        raise _failed(error, called, asked) from None
    if asked.digest and hasher.digest != asked.digest:
        raise Failure(
            "DigestMismatch",
            f"{called} has digest {hasher.digest}, {FIELD}.s3.digest is {asked.digest}: put the "
            "file back, or name the new digest",
        )
    found = kinds.recognised(folder / "model", called)
    kinds.check_format(found, asked.format)
    return Fetched(replace(found, features=features), hasher.digest)


def _described(asked: Import, bucket: Storage, prefix: str) -> mlflow_model.Described:
    called = f"s3://{asked.bucket}/{prefix}{mlflow_model.DESCRIPTION}"
    try:
        data = bucket.get(f"{prefix}{mlflow_model.DESCRIPTION}", mlflow_model.MAX_BYTES)
    except errors.StoreError as error:
        raise _failed(error, called, asked) from None
    return mlflow_model.read(data, called)


def _bounded(called: str) -> Seen:
    done = 0

    def seen(amount: int) -> None:
        nonlocal done
        done += amount
        if done > package.MAX_MODEL_BYTES:
            limit = package.MAX_MODEL_BYTES
            raise Failure("ModelUnloadable", f"{called} has more than {limit} bytes")

    return seen


def _failed(error: errors.StoreError, called: str, asked: Import) -> Failure:
    match error:
        case errors.NotFound():
            return Failure("SourceMissing", f"{called} does not exist: correct {FIELD}.s3")
        case errors.TooLarge():
            return Failure("ModelUnloadable", f"{called} is too large to be one of MLflow's")
        case errors.BucketMissing():
            return Failure("BucketMissing", f"{error}: create it or correct {FIELD}.s3.bucket")
        case errors.AccessDenied():
            secret = f"{FIELD}.s3.credentialsRef"
            told = f"the Secret of {secret}" if asked.keys else f"{secret} (none is given)"
            return Failure("AccessDenied", f"{error}: correct {told}")
        case _:
            return Failure("SourceUnavailable", f"{called}: {error}")
