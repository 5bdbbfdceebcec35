"""A file on a web server: what its answers mean, alike for who polls it and for who reads it.

The operator asks and the runner reads, with different clients; what is a redirect, a refusal or
another file is decided here. Messages name the URL without its query, which may be a signature.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from urllib.parse import SplitResult, urljoin, urlsplit

from tidemill.store import digests

FIELD = "spec.source.http"
SETTING = "TIDEMILL_HTTP_ALLOWED_NETWORKS"
MAX_REDIRECTS = 5
CONNECT_SECONDS = 5.0
# Bytes are hashed as they lie on the server: a file compressed for the way would be another one.
PLAIN = {"Accept": "*/*", "Accept-Encoding": "identity", "User-Agent": "tidemill"}
ONE_BYTE = {"Range": "bytes=0-0"}
# Answers to HEAD by servers that know only GET; a signed URL is often good for one method.
HEAD_UNKNOWN = (400, 403, 405, 501)
_REDIRECTS = (301, 302, 303, 307, 308)
_PASSING = (408, 425, 429)
_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
# What frames the request is ours; the rest of a Secret's keys is sent as it is.
_OURS = {
    "accept-encoding",
    "connection",
    "content-length",
    "expect",
    "host",
    "if-match",
    "if-modified-since",
    "if-none-match",
    "if-range",
    "if-unmodified-since",
    "keep-alive",
    "range",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
}


class WebReason(StrEnum):
    """Why a file cannot be had, as the documented reasons of the API."""

    MISSING = "SourceMissing"
    UNAVAILABLE = "SourceUnavailable"
    DENIED = "AccessDenied"
    FORBIDDEN = "AddressForbidden"
    INVALID = "SpecInvalid"


class WebError(Exception):
    """The file cannot be had; the message names the field and the way out."""

    def __init__(self, reason: WebReason, message: str) -> None:
        super().__init__(message)
        self.reason = reason
        self.message = message


@dataclass(frozen=True)
class RemoteFile:
    """What a server says of a file without sending it; the entity tag as it is sent."""

    etag: str | None = None
    modified: str | None = None
    length: int | None = None

    @classmethod
    def of(cls, status: int, headers: Mapping[str, str]) -> "RemoteFile":
        """Read an answer to HEAD or GET, also to GET with a range; any case of names."""
        lower = {name.lower(): value.strip() for name, value in headers.items()}
        length = lower.get("content-length", "")
        if status in (206, 416):
            length = lower.get("content-range", "").rpartition("/")[2]
        return cls(
            etag=lower.get("etag") or None,
            modified=lower.get("last-modified") or None,
            length=int(length) if length.isascii() and length.isdecimal() else None,
        )

    @property
    def weak(self) -> bool:
        """Whether nothing but the length tells this file from another."""
        return self.etag is None and self.modified is None

    @property
    def validator(self) -> str | None:
        """What `If-Range` takes: a strong entity tag, else the date."""
        strong = self.etag is not None and not self.etag.startswith("W/")
        return self.etag if strong else self.modified

    @property
    def fingerprint(self) -> str:
        row = [self.etag, self.modified, self.length]
        return digests.sha256_digest(digests.canonical_json(row))

    def agrees_with(self, other: "RemoteFile") -> bool:
        """Whether both may be one file: a server need not say all of it to HEAD and to GET."""
        pairs = (
            (self.etag, other.etag),
            (self.modified, other.modified),
            (self.length, other.length),
        )
        return all(a == b for a, b in pairs if a is not None and b is not None)


def parse(url: str) -> SplitResult:
    """Take a URL apart; raises WebError where it is none that may be fetched."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise _invalid(f"is no URL: {error}") from None
    if parts.scheme not in ("http", "https"):
        raise _invalid(f"has the scheme {parts.scheme[:32]!r}: use http or https")
    if parts.username is not None or parts.password is not None:
        raise _invalid(f"holds credentials: put them into the Secret of {FIELD}.headersRef")
    if not parts.hostname or port == 0:
        raise _invalid("names no host: write it as https://host/path")
    if any(not 0x20 < ord(letter) < 0x7F for letter in url):
        raise _invalid("holds a space or a character beyond ASCII: encode it, as %20")
    return parts


def shown(url: str) -> str:
    """Give the URL for a message: its query may be a signature."""
    return url.partition("#")[0].partition("?")[0]


def file_prefix(url: str) -> str:
    """Give what comes before the name of the file in `shown(url)`."""
    whole = shown(url)
    return whole[: whole.rstrip("/").rfind("/") + 1]


def next_hop(url: str, status: int, headers: Mapping[str, str]) -> str | None:
    """Give where an answer redirects to, None where it does not; raises WebError."""
    lower = {name.lower(): value for name, value in headers.items()}
    location = lower.get("location")
    if status not in _REDIRECTS or not location:
        return None
    found = urljoin(url, location)
    try:
        target = parse(found)
    except WebError:
        raise _invalid(
            f"{shown(url)} redirects to what is no URL of http or https without credentials"
        ) from None
    if urlsplit(url).scheme == "https" and target.scheme == "http":
        raise _invalid(f"{shown(url)} redirects from https to http, which anybody could alter")
    return found


def unusable(url: str) -> WebError:
    return _invalid(f"{shown(url)} cannot be asked for: write its host and path as in a browser")


def too_many_hops(url: str) -> WebError:
    return _invalid(f"{shown(url)} redirects more than {MAX_REDIRECTS} times")


def same_origin(url: str, other: str) -> bool:
    """Whether credentials for one may be sent to the other."""
    return _origin(url) == _origin(other)


def address_forbidden(host: str) -> WebError:
    """Say that a host leads inside; its address is nobody's business."""
    return WebError(
        WebReason.FORBIDDEN,
        f"{FIELD}.url leads to the host {host}, whose address is private, local or reserved: use a "
        f"public address, or have the administrator allow its network with {SETTING}",
    )


def unavailable(url: str, why: str) -> WebError:
    """Say that nobody answers; it heals itself."""
    return WebError(WebReason.UNAVAILABLE, f"{shown(url)}: {why}; it is tried again")


def too_large(url: str, size: int | None, limit: int) -> WebError:
    what = f"has {size} bytes, more than" if size is not None else "is longer than"
    return _invalid(
        f"{shown(url)} {what} the {limit} bytes of {FIELD}.maxSize: raise it", "maxSize"
    )


def refusal(
    url: str, status: int, headers: Mapping[str, str], secret: str | None
) -> WebError | None:
    """Say why an answer brings no file; None where it does. `secret` gave the headers sent."""
    where = shown(url)
    if status in (200, 206, 416):
        coding = {name.lower(): value for name, value in headers.items()}.get("content-encoding")
        if coding and coding.strip().lower() != "identity":
            return _invalid(
                f"{where} is sent compressed ({coding[:32]}) although it was asked for as it is: "
                "store it uncompressed"
            )
        return None
    if status in (404, 410):
        message = f"{where} does not exist (HTTP {status}): deliver it, or correct {FIELD}.url"
        return WebError(WebReason.MISSING, message)
    if status in (401, 403):
        fix = f"set {FIELD}.headersRef"
        if secret is not None:
            fix = f"correct the Secret {secret} of {FIELD}.headersRef, or the rights of its user"
        message = f"{where} refuses access (HTTP {status}): {fix}"
        return WebError(WebReason.DENIED, message)
    if status >= 500 or status in _PASSING:
        return unavailable(url, f"the server answers with HTTP {status}")
    return _invalid(f"{where} answers with HTTP {status} and no file: correct the URL")


def request_headers(secret: Mapping[str, str]) -> dict[str, str]:
    """Give what is sent: what a Secret says wins over what is usual."""
    given = {name.lower() for name in secret}
    return {k: v for k, v in PLAIN.items() if k.lower() not in given} | dict(secret)


def header_fault(name: str, value: str) -> str | None:
    """Say why a key of a Secret cannot be a header of a request; None where it can."""
    if not _TOKEN.fullmatch(name):
        return "is no name of a header"
    if name.lower() in _OURS:
        return "is a header that Tidemill sets itself"
    if any(ord(c) < 0x20 or ord(c) == 0x7F for c in value) or not value.isascii():
        return "has a value with line breaks or characters beyond ASCII"
    return None


def _origin(url: str) -> tuple[str, str | None, int | None]:
    parts = urlsplit(url)
    return parts.scheme, parts.hostname, parts.port or {"http": 80, "https": 443}[parts.scheme]


def _invalid(what: str, field: str = "url") -> WebError:
    return WebError(WebReason.INVALID, f"{FIELD}.{field}: {what}")
