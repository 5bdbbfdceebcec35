"""The list of the models that are wanted: a mounted file, which changes while the server runs."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from tidemill.store import digests, layout
from tidemill_server.settings import Settings
from tidemill_server.watched import text_of

MOST_MODELS = 32
MOST_BOUND = 1 << 50
MOST_BYTES = 512 * 1024
_NAME = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")


@dataclass(frozen=True)
class Wanted:
    """A model of the list; the bounds are those of it alone, None where the server's hold."""

    name: str
    digest: str
    bucket: str
    prefix: str
    public_keys: tuple[str, ...] = ()
    rows: int | None = None
    in_flight: int | None = None
    memory_bytes: int = 0

    @property
    def version(self) -> str:
        """The version by which it is asked for."""
        return digests.hex_of(self.digest)[:12]

    def settings(self, of: Settings, scratch: Path) -> Settings:
        """The server's settings, as they would be for it alone."""
        limits = replace(
            of.limits,
            rows=self.rows or of.limits.rows,
            in_flight=self.in_flight or of.limits.in_flight,
        )
        return replace(
            of,
            model_name=self.name,
            model_version=self.version,
            model_digest=self.digest,
            bucket=self.bucket,
            prefix=self.prefix,
            scratch=scratch,
            public_keys=self.public_keys,
            limits=limits,
            loading=replace(of.loading, memory_bytes=self.memory_bytes or of.loading.memory_bytes),
            models=None,
        )


@dataclass(frozen=True)
class Listed:
    """What is wanted, and the digest of the file that says so."""

    models: tuple[Wanted, ...]
    digest: str


def read_list(file: Path) -> Listed:
    """Read the list; raises ValueError or OSError where the file cannot be used."""
    text = text_of(file, MOST_BYTES)
    try:
        document = json.loads(text)
    except (RecursionError, json.JSONDecodeError):
        document = None
    models = document.get("models") if isinstance(document, dict) else None
    if not isinstance(models, list) or len(models) > MOST_MODELS:
        raise ValueError(f"{file.name} must be an object with 'models', at most {MOST_MODELS}")
    found = tuple(_model(one, f"models[{index}]") for index, one in enumerate(models))
    names = [one.name for one in found]
    if twice := next((name for name in names if names.count(name) > 1), None):
        raise ValueError(f"two models are called {twice!r}")
    return Listed(found, digests.sha256_digest(text.encode()))


def _model(one: object, where: str) -> Wanted:
    if not isinstance(one, dict):
        raise ValueError(f"{where} must be an object")  # noqa: TRY004 - the file's fault
    name, digest, uri = (one.get(field) for field in ("name", "digest", "uri"))
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise ValueError(f"{where}.name must be a label of at most 63 of a-z, 0-9 and -")
    if not isinstance(digest, str) or not digests.is_digest(digest):
        raise ValueError(f"{where}.digest must be sha256:<64 hexadecimal digits>")
    try:
        bucket, prefix = layout.parse_uri(uri if isinstance(uri, str) else "")
    except ValueError as error:
        raise ValueError(f"{where}.uri: {error}") from None
    limits = one.get("limits", {})
    if not isinstance(limits, dict):
        raise ValueError(f"{where}.limits must be an object")  # noqa: TRY004 - the file's fault
    return Wanted(
        name=name,
        digest=digest,
        bucket=bucket,
        prefix=prefix if prefix.endswith("/") else prefix + "/",
        public_keys=_keys(one, where),
        rows=_bound(limits, "rows", where),
        in_flight=_bound(limits, "inFlight", where),
        memory_bytes=_bound(limits, "memoryBytes", where) or 0,
    )


def _keys(one: Mapping[str, Any], where: str) -> tuple[str, ...]:
    keys = one.get("publicKeys")
    if keys is None:
        return ()
    # Empty, it would demand a signature of nobody and check none.
    if not isinstance(keys, list) or not keys or not all(isinstance(key, str) for key in keys):
        raise ValueError(f"{where}.publicKeys must be a list of texts")
    return tuple(keys)


def _bound(limits: Mapping[str, Any], name: str, where: str) -> int | None:
    value = limits.get(name)
    if value is not None and (type(value) is not int or not 1 <= value <= MOST_BOUND):
        raise ValueError(f"{where}.limits.{name} must be a whole number from 1 to {MOST_BOUND}")
    return value
