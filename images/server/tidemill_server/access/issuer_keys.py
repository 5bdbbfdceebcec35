"""The public keys of an issuer: from a mounted file, or asked of the issuer again and again.

Asked, they come by OpenID Connect Discovery 1.0: the issuer's document names where its keys are. A
key that is not there yet is asked for at once, but not more often than a pause allows: who invents
keys makes no traffic.
"""

import asyncio
import json
import logging
import time
from collections.abc import Awaitable, Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import jwt

from tidemill_server.access.guard import refused
from tidemill_server.protocol.errors import ProtocolError
from tidemill_server.watched import Watched, text_of

MAX_BYTES = 1024 * 1024
EVERY_SECONDS = 300.0
PAUSE_SECONDS = 10.0
ASK_SECONDS = 20.0
LEAST_RSA_BITS = 2048  # RFC 7518, 3.3

log = logging.getLogger(__name__)
Fetch = Callable[[str], Awaitable[bytes]]
PublicKey = Any  # one of cryptography's
_KINDS = {"RS": "RSA", "PS": "RSA", "ES": "EC", "Ed": "OKP"}
# What a public key consists of: of one that holds its secret, too, that is left alone.
_PUBLIC = frozenset({"kty", "alg", "n", "e", "crv", "x", "y"})


class Keys(Protocol):
    """Where a token's key is found."""

    @property
    def generation(self) -> int:
        """Another number after each change."""

    async def prepare(self) -> None:
        """Return when there are keys."""

    def find(self, name: object, algorithm: str) -> PublicKey:
        """The key of this name; raises ProtocolError."""


@dataclass(frozen=True)
class Key:
    """One of a document; `algorithm` only where it says that it is for no other."""

    name: object
    kind: object
    algorithm: object
    public: PublicKey

    def serves(self, algorithm: str) -> bool:
        return self.kind == _KINDS[algorithm[:2]] and self.algorithm in (None, algorithm)


def read_keys(text: str | bytes) -> list[Key]:
    """A document of keys (RFC 7517), without those that sign nothing; raises ValueError."""
    try:
        document = json.loads(text)
    except (ValueError, RecursionError):
        document = None
    listed = document.get("keys") if isinstance(document, dict) else None
    listed = listed if isinstance(listed, list) else []
    found = [key for one in listed if (key := _read(one)) is not None]
    if not found:
        raise ValueError('it is no document of keys (RFC 7517), {"keys": [...]}, or none signs')
    return found


def _read(told: object) -> Key | None:
    """A key; None where it is of a kind that does not count here, such as a secret one."""
    if not isinstance(told, dict) or told.get("kty") not in _KINDS.values():
        return None
    if told.get("use") not in (None, "sig"):
        return None
    public = {name: value for name, value in told.items() if name in _PUBLIC}
    try:
        key = jwt.PyJWK(public)
    except Exception:  # whatever is wrong with one key, the others count
        return None
    if getattr(key.key, "key_size", LEAST_RSA_BITS) < LEAST_RSA_BITS and told["kty"] == "RSA":
        return None
    return Key(told.get("kid"), told["kty"], told.get("alg"), key.key)


def _found(keys: Iterable[Key], name: object, algorithm: str) -> PublicKey | None:
    """The key of the name; without a name, the one that there is."""
    fit = [key for key in keys if key.serves(algorithm)]
    if name is None:
        return fit[0].public if len(fit) == 1 else None
    return next((key.public for key in fit if key.name == name), None)


class MountedKeys:
    """Those of a file, as it is now."""

    def __init__(self, file: Path) -> None:
        self._keys = Watched(file, lambda path: read_keys(text_of(path, MAX_BYTES)))

    @property
    def generation(self) -> int:
        return self._keys.changes

    async def prepare(self) -> None:
        """They are there: without them the server would not have started."""

    def find(self, name: object, algorithm: str) -> PublicKey:
        key = _found(self._keys.now, name, algorithm)
        if key is None:
            raise refused("the token is signed by a key that is not its issuer's")
        return key


class IssuersKeys:
    """Those that the issuer tells, read anew in the background."""

    def __init__(
        self,
        issuer: str,
        fetch: Fetch,
        *,
        every: float = EVERY_SECONDS,
        pause: float = PAUSE_SECONDS,
    ) -> None:
        self._issuer = issuer
        self._fetch = fetch
        self._every, self._pause = every, pause
        self._keys: list[Key] | None = None
        self._asked_at = -pause
        self._asking = False
        self._wanted = asyncio.Event()
        self._there = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self.generation = 0

    async def prepare(self) -> None:
        if self._task is None:
            self._task = asyncio.create_task(self._follow())
        await self._there.wait()

    def find(self, name: object, algorithm: str) -> PublicKey:
        key = None if self._keys is None else _found(self._keys, name, algorithm)
        if key is not None:
            return key
        # It is asked for, now or when the pause ends.
        self._wanted.set()
        if self._asking or time.monotonic() - self._asked_at >= self._pause:
            self._asking = True
            message = "the issuer is asked for its keys: come again"
            raise ProtocolError(503, message, retry_after=1)
        raise refused("the token is signed by a key that is not its issuer's")

    async def _follow(self) -> None:
        while True:
            self._wanted.clear()
            self._asking = True
            good = await self._ask()
            self._asking = False
            self._asked_at = time.monotonic()
            await asyncio.sleep(self._pause)
            if good:
                with suppress(TimeoutError):
                    async with asyncio.timeout(max(self._every - self._pause, 0)):
                        await self._wanted.wait()

    async def _ask(self) -> bool:
        """Ask for the keys; those that were there before hold on where it fails."""
        try:
            async with asyncio.timeout(ASK_SECONDS):
                keys = read_keys(await self._fetch(await self._place()))
        except Exception as error:  # whatever an issuer answers, it is asked again
            fields = {"issuer": self._issuer, "detail": str(error) or type(error).__name__}
            log.warning("the issuer's keys cannot be read", extra=fields)
            return False
        self._keys = keys
        self.generation += 1
        self._there.set()
        return True

    async def _place(self) -> str:
        """Where the keys are, as the issuer says."""
        url = f"{self._issuer.rstrip('/')}/.well-known/openid-configuration"
        try:
            document: Any = json.loads(await self._fetch(url))
        except RecursionError:
            document = None
        if not isinstance(document, dict) or document.get("issuer") != self._issuer:
            raise ValueError(f"{url} is not of the issuer {self._issuer}")
        place = document.get("jwks_uri")
        if not isinstance(place, str) or not place.startswith("https://"):
            raise ValueError(f"{url} names no keys by https")
        return place
