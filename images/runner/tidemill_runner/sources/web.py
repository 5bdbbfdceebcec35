"""One file on a web server: streamed to scratch, taken up where it broke, proved to be one file.

What the server says of the file when its bytes are sent must agree with what the operator saw. A
body cut short is taken up with `Range` and `If-Range` (RFC 9110, 13.1.5 and 14.2), or begun again
where the server knows neither; a body too slow or too long ends with a clear failure.
"""

import io
import logging
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from tidemill.store import digests, web
from tidemill.store.objects import ObjectInfo
from tidemill.store.web import RemoteFile, WebError, WebReason
from tidemill_runner.failures import Failure
from tidemill_runner.files.delivery import Delivery
from tidemill_runner.inputs import HttpSource
from tidemill_runner.sources.origin import changed
from tidemill_runner.sources.web_client import Answer, WebClient
from tidemill_runner.storage import Seen

BLOCK = 1024 * 1024
ATTEMPTS = 4  # in a row that bring nothing
LONGEST_PAUSE = 30.0
PACE_SECONDS = 60.0
PACE_BYTES = 1024  # a second
log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Patience:
    """Time, as tests give it; `pause` and `clock` in seconds."""

    pause: Callable[[float], None] = time.sleep
    clock: Callable[[], float] = time.monotonic


@dataclass
class _Reading:
    """How far a file is read, and how fast."""

    file: io.BufferedWriter
    seen: Seen
    clock: Callable[[], float]
    hasher: digests.Hasher = field(default_factory=digests.Hasher)
    since: float = field(init=False)
    got: int = 0

    def __post_init__(self) -> None:
        self.since = self.clock()

    @property
    def size(self) -> int:
        return self.hasher.size

    def restart(self) -> None:
        self.file.seek(0)
        self.file.truncate()
        self.hasher = digests.Hasher()

    def take(self, block: bytes) -> None:
        self.file.write(block)
        self.hasher.update(block)
        self.got += len(block)
        self.seen(len(block))

    def too_slow(self) -> bool:
        """Whether the last whole minute brought less than it must; pauses count."""
        if self.clock() - self.since < PACE_SECONDS:
            return False
        slow = self.got < PACE_SECONDS * PACE_BYTES
        self.since, self.got = self.clock(), 0
        return slow


@dataclass
class WebOrigin:
    """The file at a URL."""

    source: HttpSource
    fingerprint: str
    client: WebClient
    patience: Patience = field(default_factory=Patience)
    _seen: RemoteFile | None = None

    @classmethod
    def of(cls, source: HttpSource, fingerprint: str, secret: Path) -> "WebOrigin":
        """`secret` is the folder with a file for each header; it need not exist."""
        headers = _headers(secret, source.secret) if source.secret else {}
        return cls(source, fingerprint, WebClient(source.allowed, headers, source.secret))

    @property
    def where(self) -> str:
        return web.shown(self.source.url)

    @property
    def delivery(self) -> Delivery:
        prefix = web.file_prefix(self.source.url)
        return Delivery(self.source.format, prefix, self.source.csv)

    def objects(self) -> list[ObjectInfo]:
        file = self._file()
        return [ObjectInfo(self.where, file.length or 0, file.etag or "")]

    def fetch(self, info: ObjectInfo, path: Path, seen: Seen) -> str:
        with path.open("wb") as file:
            reading = _Reading(file, seen, self.patience.clock)
            self._patiently(lambda: self._read_on(reading), lambda: reading.size)
        digest, wanted = reading.hasher.digest, self.source.checksum
        if wanted and digest != wanted:
            raise Failure(
                "DigestMismatch",
                f"{info.key} has the digest {digest}, not {wanted} of {web.FIELD}.checksum: "
                "correct the one or the other; once the right file is there, annotate the Dataset "
                "with tidemill.dev/reconcile-requested-at",
            )
        return digest

    def _file(self) -> RemoteFile:
        """What the server says now; with a checksum, once is enough: the bytes prove the rest."""
        if self._seen is not None and self.source.checksum:
            return self._seen
        found: list[RemoteFile] = []
        self._patiently(lambda: found.append(self.client.probe(self.source.url)), lambda: 0)
        self._seen = found[-1]
        self._check_length(self._seen)
        if not self.source.checksum and self._seen.fingerprint != self.fingerprint:
            raise changed(f"{self.where} is not the file that was seen before")
        return self._seen

    def _patiently(self, work: Callable[[], None], progress: Callable[[], int]) -> None:
        """Try again what may heal, as long as there is progress."""
        failed = 0
        while True:
            before = progress()
            try:
                return work()
            except WebError as error:
                failed = 1 if progress() > before else failed + 1
                if error.reason is not WebReason.UNAVAILABLE or failed >= ATTEMPTS:
                    raise Failure(error.reason.value, error.message) from None
                log.warning("reading goes on after %s bytes: %s", progress(), error.message)
                self.patience.pause(min(2.0**failed, LONGEST_PAUSE))

    def _read_on(self, reading: _Reading) -> None:
        """Read from where it is to the end; raises WebError where that cannot be reached."""
        expected = self._seen or RemoteFile()
        if reading.size and not expected.validator:
            reading.restart()
        self._check_pace(reading)
        with self.client.open("GET", self.source.url, _range(reading, expected)) as answer:
            if not answer.file.agrees_with(expected):
                raise changed(f"{self.where} was replaced while it was read")
            self._check_length(answer.file)
            self._place(answer, reading)
            while block := answer.body.read1(BLOCK):
                if reading.size + len(block) > self.source.max_bytes:
                    raise _failed(web.too_large(self.source.url, None, self.source.max_bytes))
                reading.take(block)
                self._check_pace(reading)
        whole = answer.file.length if answer.file.length is not None else expected.length
        if whole is not None and reading.size < whole:
            raise web.unavailable(self.source.url, f"{reading.size} of {whole} bytes were sent")
        if whole is not None and reading.size > whole:
            raise changed(f"{self.where} has {reading.size} bytes, it was seen with {whole}")

    def _place(self, answer: Answer, reading: _Reading) -> None:
        """Bring the file on disk to where the body begins."""
        if answer.status == 416 or answer.start not in (0, reading.size):
            reading.restart()
            raise web.unavailable(self.source.url, "the server sends another part than asked for")
        if answer.start != reading.size:
            reading.restart()

    def _check_length(self, file: RemoteFile) -> None:
        if file.length is not None and file.length > self.source.max_bytes:
            raise _failed(web.too_large(self.source.url, file.length, self.source.max_bytes))

    def _check_pace(self, reading: _Reading) -> None:
        if reading.too_slow():
            why = f"the server sends less than {PACE_BYTES} bytes a second"
            raise _failed(web.unavailable(self.source.url, why))


def _range(reading: _Reading, expected: RemoteFile) -> dict[str, str]:
    if not reading.size or expected.validator is None:
        return {}
    return {"Range": f"bytes={reading.size}-", "If-Range": expected.validator}


def _failed(error: WebError) -> Failure:
    return Failure(error.reason.value, error.message)


def _headers(folder: Path, secret: str) -> Mapping[str, str]:
    """The keys of a Secret as it is mounted: files, and folders of Kubernetes' own."""
    found = {}
    for path in sorted(folder.iterdir()) if folder.is_dir() else ():
        if not path.is_file():
            continue
        value = path.read_bytes().decode("utf-8", "replace").strip()
        if fault := web.header_fault(path.name, value):
            raise Failure(
                "AccessDenied", f"the key {path.name} of the Secret {secret} {fault}: correct it"
            )
        found[path.name] = value
    return found
