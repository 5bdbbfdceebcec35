"""Identity by content: one canonical JSON text per value, and sha256 over it.

Equal values give equal bytes and so equal digests, whatever the order of their keys. Digests are
written `sha256:<64 hexadecimal digits>` everywhere; keys in the store use the digits alone.
"""

import hashlib
import json
import re
from typing import Any

PREFIX = "sha256:"
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")


def canonical_json(value: Any) -> bytes:  # noqa: ANN401 - any JSON value
    """Serialise with sorted keys and no spaces; NaN and infinity raise ValueError."""
    text = json.dumps(
        value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False
    )
    return text.encode("utf-8")


def sha256_digest(data: bytes) -> str:
    return PREFIX + hashlib.sha256(data).hexdigest()


def is_digest(text: object) -> bool:
    return isinstance(text, str) and _DIGEST.fullmatch(text) is not None


def hex_of(digest: str) -> str:
    """The digits of a digest, for use in a key; refuses anything else, as it becomes a path."""
    if not is_digest(digest):
        raise ValueError(f"not a digest of the form sha256:<64 hex digits>: {digest!r}")
    return digest.removeprefix(PREFIX)


class Hasher:
    """A sha256 over a stream, with the number of bytes seen."""

    def __init__(self) -> None:
        self._sha = hashlib.sha256()
        self.size = 0

    def update(self, chunk: bytes | memoryview) -> None:
        self._sha.update(chunk)
        self.size += len(chunk)

    @property
    def digest(self) -> str:
        return PREFIX + self._sha.hexdigest()
