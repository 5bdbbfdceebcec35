"""A bucket for the runner: large files by minio, small and conditional ones by the shared client.

Large files are read in one stream that is taken up where it broke, and bound to the entity tag it
began with: a file is either the one that was asked for or an error.
"""

import asyncio
import io
import logging
import re
from collections.abc import Callable, Coroutine, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from threading import Lock
from typing import Any, TypeVar

import urllib3
from minio import Minio
from minio.credentials import Credentials, Provider
from minio.error import InvalidResponseError, MinioException, S3Error, ServerError

from tidemill.store import digests, errors
from tidemill.store.config import StoreConfig
from tidemill.store.mounted import MountedKeys
from tidemill.store.objects import ObjectInfo, ObjectStore, Patience

BLOCK = 1024 * 1024
# A file is sent in parts, some at once, each of them in memory; S3 takes ten thousand of a file.
PART = 16 * 1024 * 1024
PARTS_AT_ONCE = 3
CONNECTIONS = 8
MOST_PARTS = 9000
ATTEMPTS = 4
# A store that restarts is back within a minute. The pauses between tries are drawn at random and
# may stay short: it is the time that ends the trying, not their number.
PATIENCE = Patience(retry=timedelta(seconds=60), retries=1000)
LARGE_FILE_TRIES = 10  # by minio, whose pauses double: together, a minute
_DENIED = {
    "AccessDenied",
    "InvalidAccessKeyId",
    "SignatureDoesNotMatch",
    "ExpiredToken",
    "InvalidToken",
    "InvalidTokenId",
    "RequestTimeTooSkewed",
}
Seen = Callable[[int], None]
T = TypeVar("T")
log = logging.getLogger(__name__)


@dataclass
class _Reading:
    """How far a download is."""

    file: io.BufferedWriter
    hasher: digests.Hasher
    etag: str | None
    seen: Seen | None

    def headers(self) -> dict[str, str]:
        found = {"If-Match": f'"{self.etag}"'} if self.etag else {}
        return found | ({"Range": f"bytes={self.hasher.size}-"} if self.hasher.size else {})

    def take(self, block: bytes) -> None:
        self.file.write(block)
        self.hasher.update(block)
        if self.seen is not None:
            self.seen(len(block))


class Storage:
    """The bucket of a StoreConfig; use as a context.

    With `keys` those are used instead of the config's, as they are at each time.
    """

    def __init__(
        self, config: StoreConfig, patience: Patience = PATIENCE, keys: MountedKeys | None = None
    ) -> None:
        self.config = config
        self._patience = patience
        self._runner = asyncio.Runner()
        # The loop is one, and threads that read parts beside one another share the storage.
        self._one = Lock()
        self._objects = ObjectStore(config, patience, keys)
        self._minio = _minio(config, patience, _Provider(keys) if keys else None)

    def __enter__(self) -> "Storage":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        with self._one:
            self._runner.close()

    def _run(self, work: Coroutine[Any, Any, T]) -> T:
        with self._one:
            return self._runner.run(work)

    def get(self, key: str, max_bytes: int) -> bytes:
        return self._run(self._objects.get(key, max_bytes=max_bytes))

    def put(self, key: str, data: bytes) -> None:
        self._run(self._objects.put(key, data))

    def create(self, key: str, data: bytes) -> bool:
        """Write once; False where there is one, under a key made of its content the same."""
        try:
            self._run(self._objects.put(key, data, create=True))
        except errors.AlreadyExists:
            return False
        return True

    def list(self, prefix: str) -> list[ObjectInfo]:
        return self._run(self._objects.list(prefix))

    def sizes_of(self, keys: Iterable[str]) -> dict[str, int | None]:
        """The sizes of objects by their keys, None where there is none."""
        return self._run(self._sizes_of(tuple(keys)))

    def delete(self, keys: Iterable[str]) -> None:
        """Remove objects; it is no error where there is none."""
        self._run(self._delete(tuple(keys)))

    async def _delete(self, keys: Sequence[str]) -> None:
        for start in range(0, len(keys), CONNECTIONS):
            await asyncio.gather(*map(self._objects.delete, keys[start : start + CONNECTIONS]))

    async def _sizes_of(self, keys: Sequence[str]) -> dict[str, int | None]:
        found = await asyncio.gather(*map(self._size_of, keys))
        return dict(zip(keys, found, strict=True))

    async def _size_of(self, key: str) -> int | None:
        try:
            return (await self._objects.head(key)).size
        except errors.NotFound:
            return None

    def download(
        self, key: str, path: Path, *, etag: str | None = None, seen: Seen | None = None
    ) -> digests.Hasher:
        """Write an object to a file and hash it on the way; Changed where it has another etag."""
        with path.open("wb") as file:
            reading = _Reading(file, digests.Hasher(), etag, seen)
            for _ in range(ATTEMPTS - 1):
                try:
                    self._read_on(key, reading)
                except errors.Unavailable as error:
                    log.warning("reading goes on after %s bytes: %s", reading.hasher.size, error)
                else:
                    return reading.hasher
            self._read_on(key, reading)
            return reading.hasher

    def upload(self, path: Path, key: str) -> None:
        with self._errors(key):
            self._minio.fput_object(
                self.config.bucket,
                key,
                str(path),
                part_size=max(PART, -(-path.stat().st_size // MOST_PARTS)),
                num_parallel_uploads=PARTS_AT_ONCE,
            )

    def _read_on(self, key: str, reading: "_Reading") -> None:
        response: Any = None
        try:
            with self._errors(key):
                headers: Any = reading.headers()
                response = self._minio.get_object(self.config.bucket, key, request_headers=headers)
                # What is taken up later must be the same object, also where none was asked for.
                reading.etag = reading.etag or response.headers.get("ETag", "").strip('"')
                while block := response.read(BLOCK):
                    reading.take(block)
        finally:
            if response is not None:
                response.close()
                response.release_conn()

    @contextmanager
    def _errors(self, key: str) -> Iterator[None]:
        where = f"s3://{self.config.bucket}/{key} at {self.config.endpoint}"
        try:
            yield
        except (S3Error, ServerError, InvalidResponseError) as error:
            raise _translate(error, where) from None
        except (MinioException, urllib3.exceptions.HTTPError, ConnectionError) as error:
            raise errors.Unavailable(f"{where}: {_cause(error)}") from None


def _cause(error: Exception) -> str:
    cause = getattr(error, "reason", None) or error
    # What it was answered until it gave up trying; the number is in the text alone.
    status = re.search(r"\b[45]\d\d\b", str(cause))
    if isinstance(cause, urllib3.exceptions.ResponseError) and status:
        return f"the store answers with HTTP {status[0]}"
    return f"the store does not answer: {type(cause).__name__}"


def _translate(error: Exception, where: str) -> errors.StoreError:
    code = getattr(error, "code", "") or ""
    status = getattr(error, "status_code", 0) or getattr(
        getattr(error, "response", None), "status", 0
    )
    if code == "NoSuchBucket":
        return errors.BucketMissing(f"{where}: the bucket does not exist")
    if code in ("NoSuchKey", "NoSuchVersion", "MethodNotAllowed"):
        return errors.NotFound(f"{where} does not exist")
    if code == "PreconditionFailed" or status == 412:
        return errors.Changed(f"{where} was replaced while it was read")
    if code in _DENIED or status in (401, 403):
        return errors.AccessDenied(f"{where}: the store refuses the credentials ({code})")
    return errors.Unavailable(f"{where}: the store answers with {code or f'HTTP {status}'}")


def _signed(config: StoreConfig, keys: Provider | None) -> dict[str, Any]:
    if keys is not None and not config.anonymous:
        return {"credentials": keys}
    return {
        "access_key": config.access_key or None,
        "secret_key": config.secret_key or None,
        "session_token": config.session_token,
    }


class _Provider(Provider):  # type: ignore[misc] # minio has no types
    """Mounted keys, in the form that minio asks for with each request."""

    def __init__(self, keys: MountedKeys) -> None:
        self._keys = keys

    def retrieve(self) -> Credentials:
        return Credentials(*self._keys.current())


def _minio(config: StoreConfig, patience: Patience, keys: Provider | None) -> Minio:
    options: dict[str, Any] = {"ca_certs": config.ca_file} if config.ca_file else {}
    pool = urllib3.PoolManager(
        maxsize=CONNECTIONS,
        timeout=urllib3.Timeout(
            connect=patience.connect.total_seconds(), read=patience.request.total_seconds()
        ),
        retries=urllib3.Retry(
            total=min(patience.retries, LARGE_FILE_TRIES),
            backoff_factor=0.2,
            backoff_max=patience.retry.total_seconds() / 6,
            status_forcelist=[500, 502, 503, 504],
        ),
        **options,
    )
    client = Minio(
        config.host,
        **_signed(config, keys),
        secure=config.secure,
        # Without a region the client asks for the bucket's, which scoped keys may not.
        region=config.region,
        http_client=pool,
    )
    if not config.path_style:
        client.enable_virtual_style_endpoint()
    return client
