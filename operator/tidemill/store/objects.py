"""One bucket, asynchronously: small reads and writes, conditional creation, listing, streaming.

Every call is bounded in time and retried a few times by the client underneath; what then still
fails is one of the errors of `tidemill.store.errors`. Listing has S3's meaning of a prefix (a plain
beginning of the key), also where the prefix ends inside a name.
"""

import re
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import obstore
from obstore import exceptions
from obstore.store import S3Store

from tidemill.store.config import StoreConfig
from tidemill.store.errors import (
    AccessDenied,
    AlreadyExists,
    BucketMissing,
    Changed,
    NotFound,
    StoreError,
    TooLarge,
    Unavailable,
)
from tidemill.store.mounted import MountedKeys

__all__ = [
    "AccessDenied",
    "AlreadyExists",
    "BucketMissing",
    "Changed",
    "NotFound",
    "ObjectInfo",
    "ObjectStore",
    "StoreError",
    "TooLarge",
    "Unavailable",
]

CHUNK = 8 * 1024 * 1024
DEFAULT_MAX_BYTES = 64 * 1024 * 1024
MAX_LISTED = 100_000
# Codes that speak of the credentials, whatever the operation was.
_DENIED = re.compile(
    r"AccessDenied|InvalidAccessKeyId|SignatureDoesNotMatch|ExpiredToken|InvalidToken"
    r"|InvalidTokenId|InvalidClientTokenId|RequestTimeTooSkewed|AllAccessDisabled"
)
_CODE = re.compile(r"<Code>(\w+)</Code>")
# An answer to HEAD has no body, so no code: what it refuses with 400 is a token that is not valid.
_HEAD_REFUSED = re.compile(r"Error performing HEAD .*status code: 400")
_STATUS = re.compile(r"status code: (\d{3})|HTTP status server error \((\d{3})")
_CAUSES = (
    ("refused", re.compile("connection refused", re.IGNORECASE)),
    ("host name unknown", re.compile("dns error|failed to lookup", re.IGNORECASE)),
    ("certificate not trusted", re.compile("certificate|UnknownIssuer", re.IGNORECASE)),
    ("timed out", re.compile("timed out|(?<!retry_)timeout", re.IGNORECASE)),
    ("connection broken", re.compile("reset|closed|broken pipe|incomplete", re.IGNORECASE)),
)


@dataclass(frozen=True)
class ObjectInfo:
    """An object as a listing shows it; the etag without its quotes."""

    key: str
    size: int
    etag: str
    modified: datetime | None = None
    version: str | None = None


@dataclass(frozen=True)
class Patience:
    """How long a call may take: per request, and with all its retries."""

    connect: timedelta = timedelta(seconds=5)
    request: timedelta = timedelta(seconds=60)
    retry: timedelta = timedelta(seconds=20)
    retries: int = 4


class ObjectStore:
    """The bucket of a StoreConfig. Cheap to make; nothing is sent before the first call.

    With `keys` those are used instead of the config's, as they are at each time.
    """

    def __init__(
        self,
        config: StoreConfig,
        patience: Patience | None = None,
        keys: MountedKeys | None = None,
    ) -> None:
        self.config = config
        self._s3 = _client(config, patience or Patience(), keys)

    async def get(self, key: str, *, max_bytes: int = DEFAULT_MAX_BYTES) -> bytes:
        """The whole object; TooLarge before anything is read where it is larger than allowed."""
        with self._errors(key):
            result = await obstore.get_async(self._s3, key)
            size = result.meta["size"]
            if size > max_bytes:
                raise TooLarge(f"{self._where(key)} has {size} bytes, more than {max_bytes}")
            return bytes(await result.bytes_async())

    async def put(
        self, key: str, data: bytes, *, create: bool = False, etag: str | None = None
    ) -> ObjectInfo:
        """Write the object; of those who write at once on a condition, one wins.

        With `create`, AlreadyExists where it is there; with `etag`, Changed where it has another.
        """
        with self._errors(key):
            mode: Any = "create" if create else {"e_tag": f'"{etag}"'} if etag else "overwrite"
            # One request and no multipart: a conditional write must be decided by one answer.
            result = await obstore.put_async(self._s3, key, data, mode=mode, use_multipart=False)
            return ObjectInfo(
                key, len(data), _etag(result.get("e_tag")), version=result.get("version")
            )

    async def head(self, key: str) -> ObjectInfo:
        with self._errors(key):
            return _info(await obstore.head_async(self._s3, key))

    async def list(self, prefix: str = "", *, limit: int = MAX_LISTED) -> list[ObjectInfo]:
        """All objects whose key begins with the prefix, sorted by the bytes of the key.

        TooLarge where there are more than `limit`: a listing is held in memory.
        """
        # The client underneath only lists whole folders: list the folder, keep what begins so.
        folder = prefix[: prefix.rfind("/") + 1]
        found: list[ObjectInfo] = []
        with self._errors(prefix):
            async for page in obstore.list(self._s3, prefix=folder or None):
                found.extend(_info(meta) for meta in page if meta["path"].startswith(prefix))
                if len(found) > limit:
                    raise TooLarge(f"more than {limit} objects lie under {self._where(prefix)}")
        return sorted(found, key=lambda item: item.key.encode("utf-8"))

    async def folders(self, prefix: str) -> tuple[str, ...]:
        """The names of the folders right below a prefix that ends with a slash or is empty."""
        with self._errors(prefix):
            found = await obstore.list_with_delimiter_async(self._s3, prefix=prefix or None)
            paths = sorted(found["common_prefixes"])
            return tuple(path.rstrip("/").rsplit("/", 1)[-1] for path in paths)

    async def stream(self, key: str, *, chunk: int = CHUNK) -> AsyncIterator[bytes]:
        """The object in pieces, each its own request, so that a restart of the store costs one.

        Changed is raised where the object was replaced between two pieces.
        """
        info = await self.head(key)
        for start in range(0, info.size, chunk):
            with self._errors(key):
                options: Any = {
                    "range": (start, min(start + chunk, info.size)),
                    "if_match": f'"{info.etag}"',
                }
                result = await obstore.get_async(self._s3, key, options=options)
                yield bytes(await result.bytes_async())

    async def delete(self, key: str) -> None:
        """Remove the object; it is no error where there is none."""
        with self._errors(key):
            try:
                await obstore.delete_async(self._s3, key)
            except FileNotFoundError as error:
                if "NoSuchBucket" in str(error):
                    raise

    def _where(self, key: str) -> str:
        return f"s3://{self.config.bucket}/{key} at {self.config.endpoint}"

    @contextmanager
    def _errors(self, key: str) -> Iterator[None]:
        try:
            yield
        except (exceptions.BaseError, OSError) as error:
            raise _translate(error, self._where(key), self.config) from None


def _client(config: StoreConfig, patience: Patience, keys: MountedKeys | None) -> S3Store:
    client: dict[str, Any] = {
        "allow_http": not config.secure,
        "connect_timeout": patience.connect,
        "timeout": patience.request,
    }
    if config.ca_file:
        client["root_certificate"] = Path(config.ca_file).read_bytes()
    retry: Any = {
        "max_retries": patience.retries,
        "retry_timeout": patience.retry,
        "backoff": {"init_backoff": timedelta(milliseconds=200)},
    }
    options: Any = client
    return S3Store(
        config.bucket,
        endpoint=_address(config),
        region=config.region,
        virtual_hosted_style_request=not config.path_style,
        client_options=options,
        retry_config=retry,
        **_credentials(config, keys),
    )


def _credentials(config: StoreConfig, keys: MountedKeys | None) -> dict[str, Any]:
    if config.anonymous:
        return {"skip_signature": True}
    if keys is not None:
        return {"credential_provider": keys.for_obstore}
    return {
        "access_key_id": config.access_key,
        "secret_access_key": config.secret_key,
        **({"session_token": config.session_token} if config.session_token else {}),
    }


def _address(config: StoreConfig) -> str:
    if config.path_style:
        return config.endpoint
    scheme, _, host = config.endpoint.partition("://")
    return f"{scheme}://{config.bucket}.{host}"


def _info(meta: Mapping[str, Any]) -> ObjectInfo:
    return ObjectInfo(
        meta["path"],
        meta["size"],
        _etag(meta.get("e_tag")),
        meta.get("last_modified"),
        meta.get("version"),
    )


def _etag(text: str | None) -> str:
    return (text or "").removeprefix("W/").strip('"')


def _translate(error: Exception, where: str, config: StoreConfig) -> StoreError:
    """One of our errors for one of the client's; only codes of its text are passed on."""
    text = str(error)
    code = match[1] if (match := _CODE.search(text)) else ""
    kind: Callable[[str], StoreError]
    if code == "NoSuchBucket" or "NoSuchBucket" in text:
        return BucketMissing(f"the bucket {config.bucket!r} does not exist at {config.endpoint}")
    if isinstance(error, exceptions.AlreadyExistsError | FileExistsError):
        return AlreadyExists(f"{where} exists already")
    if isinstance(error, exceptions.PreconditionError):
        return Changed(f"{where} was replaced meanwhile")
    denied = exceptions.PermissionDeniedError | exceptions.UnauthenticatedError | PermissionError
    if isinstance(error, denied) or _DENIED.search(text) or _HEAD_REFUSED.search(text):
        detail = f" ({code})" if code else ""
        return AccessDenied(f"{where}: the store refuses the credentials{detail}")
    if isinstance(error, exceptions.NotFoundError | FileNotFoundError):
        return NotFound(f"{where} does not exist")
    cause = _cause(text, code)
    kind = Unavailable if cause else StoreError
    return kind(f"{where}: {cause or code or type(error).__name__}")


def _cause(text: str, code: str) -> str:
    """Why the store cannot answer now; empty where it did answer and refused."""
    status = next((found for found in (_STATUS.search(text),) if found), None)
    number = (status[1] or status[2]) if status else ""
    if number.startswith("5") or number == "429":
        return f"the store answers with HTTP {number}" + (f" ({code})" if code else "")
    for cause, pattern in _CAUSES:
        if pattern.search(text):
            return f"the store does not answer: {cause}"
    return ""
