"""A script as it is fetched: from a file of a ConfigMap, a commit, or a bucket; bounded, proved."""

from pathlib import Path

from tidemill.store import digests, errors
from tidemill_runner import keys
from tidemill_runner.failures import Failure
from tidemill_runner.storage import Storage
from tidemill_runner.user_code import git
from tidemill_runner.user_code.code import BucketScript, GitScript, MountedScript, ScriptSource

MAX_BYTES = 4 * 1024 * 1024
MOUNTED = "script"


def fetch(source: ScriptSource, code: Path, secret: Path, ca_file: str | None) -> bytes:
    """The script's bytes; raises Failure naming the field.

    `code` is the folder of the ConfigMap's file, `secret` that of the keys to a bucket or a
    repository.
    """
    match source:
        case MountedScript():
            data = _mounted(source, code / MOUNTED)
        case GitScript():
            data = git.fetch(source, secret, MAX_BYTES)
        case BucketScript():
            data = _object(source, secret, ca_file)
    if len(data) > MAX_BYTES:
        raise Failure(
            "SpecInvalid",
            f"{source.field}: {source.file} has more than {MAX_BYTES // 1024**2} MiB: put what "
            "is large into an image, and name that in spec.estimator.script.image",
        )
    return data


def _mounted(source: MountedScript, path: Path) -> bytes:
    try:
        data = path.read_bytes()
    except OSError:
        raise Failure(
            "SourceMissing",
            f"{source.field}: the ConfigMap {source.name} has no key {source.key}: add it",
        ) from None
    if source.digest:
        _prove(data, source.digest, source.field, f"key {source.key} of {source.name}")
    return data


def _object(source: BucketScript, secret: Path, ca_file: str | None) -> bytes:
    where = f"s3://{source.bucket}/{source.key}"
    try:
        with Storage(keys.config(source, secret if source.keys else None, ca_file)) as storage:
            data = storage.get(source.key, MAX_BYTES)
    except errors.TooLarge:
        return b" " * (MAX_BYTES + 1)
    except errors.NotFound:
        raise Failure("SourceMissing", f"{source.field}.key: there is no {where}") from None
    except (errors.AccessDenied, errors.BucketMissing) as error:
        words = "correct the bucket, or the Secret of credentialsRef"
        raise Failure("AccessDenied", f"{source.field}: {error}: {words}") from None
    except errors.StoreError as error:
        raise Failure("SourceUnavailable", f"{source.field}: {error}") from None
    _prove(data, source.digest, source.field, where)
    return data


def _prove(data: bytes, wanted: str, field: str, what: str) -> None:
    found = digests.sha256_digest(data)
    if found != wanted:
        raise Failure(
            "DigestMismatch",
            f"{field}.digest: {what} has the digest {found}: correct the digest, or the file",
        )
