"""Tokens that are known: each key of a Secret is whose, its value the token or its SHA-256.

A token is looked up by its digest, so that how long a wrong one takes tells nothing of a right one.
"""

import hashlib
import logging
import re
from collections.abc import Mapping
from pathlib import Path

from tidemill_server.watched import Watched, files_of, text_of

LEAST_CHARS = 16  # fewer can be found by trying
MAX_BYTES = 64 * 1024
DIGEST = "sha256:"
_HEX = re.compile(r"[0-9a-f]{64}")
_TOKEN = re.compile(r"[A-Za-z0-9\-._~+/]+=*")  # RFC 6750, 2.1: what a header may carry

log = logging.getLogger(__name__)


def read_tokens(folder: Path) -> Mapping[bytes, str]:
    """Whose token it is, by its digest; a value that is none is told and left out."""
    found: dict[bytes, str] = {}
    for file in files_of(folder):
        try:
            found[_digest(file)] = file.name
        except ValueError as error:
            log.error("a token is left out: %s", error)  # noqa: TRY400 - the words say it all
    if not found:
        log.error("there is no token: nobody is answered by one")
    return found


def _digest(file: Path) -> bytes:
    text = text_of(file, MAX_BYTES).strip()
    if text.startswith(DIGEST):
        digits = text.removeprefix(DIGEST)
        if not _HEX.fullmatch(digits):
            raise ValueError(f"{file.name} must be {DIGEST} with 64 hexadecimal digits")
        return bytes.fromhex(digits)
    if len(text) < LEAST_CHARS:
        raise ValueError(f"{file.name} must have {LEAST_CHARS} characters or more")
    if not _TOKEN.fullmatch(text):
        raise ValueError(f"{file.name} must have letters, digits and -._~+/ only, = at its end")
    return hashlib.sha256(text.encode()).digest()


class Tokens:
    """Those of a folder, as it is now."""

    def __init__(self, folder: Path) -> None:
        self._known = Watched(folder, read_tokens)

    def whose(self, token: bytes) -> str | None:
        """Name the key; None where the token is not known."""
        return self._known.now.get(hashlib.sha256(token).digest())
