"""What a container of the user's wrote, taken like any other delivery.

The container has ended by then and the folder is mounted to be read only, so nothing changes while
it is looked at. What may lie there is anything: links that lead elsewhere, pipes, files without
number, names that are no text.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tidemill.store import digests
from tidemill.store.objects import ObjectInfo
from tidemill_runner.container import FIELD
from tidemill_runner.failures import Failure
from tidemill_runner.files.delivery import Delivery
from tidemill_runner.files.dialect import PLAIN
from tidemill_runner.sources.volume import Stamp, shown
from tidemill_runner.storage import Seen

MAX_FILES = 10_000
# As much as its folder may hold; a file with holes may say of itself that it is larger.
MAX_BYTES = 20 * 1024**3
BLOCK = 1024 * 1024
_SIGNS = {"CSV": "CSV (commas, UTF-8, names in the first row)", "JSONLines": "JSON lines"}


@dataclass(frozen=True)
class Written:
    """The files below a folder, all of one format."""

    root: Path
    format: str
    limit: int = MAX_FILES

    @property
    def where(self) -> str:
        return f"what {FIELD} wrote"

    @property
    def delivery(self) -> Delivery:
        return Delivery(self.format, csv=PLAIN, field=FIELD)

    def objects(self) -> list[ObjectInfo]:
        """All files but hidden ones, sorted by their paths; raises Failure."""
        found: list[ObjectInfo] = []
        with _faults():
            for path, stamp in self._walk():
                if stamp.kind != "file":
                    raise _failed(
                        f"{shown(path)} is a {stamp.kind}, which is not read: write the file itself"
                    )
                found.append(ObjectInfo(_named(path), stamp.size, etag=""))
        if not found:
            raise _failed(
                "it wrote no file to the folder of TIDEMILL_OUT (names that start with a dot or an "
                "underscore are left out): let it write its rows there"
            )
        if sum(info.size for info in found) > MAX_BYTES:
            raise _failed(
                f"it wrote more than {MAX_BYTES // 1024**3} GiB, the limit: write less, or in a "
                "format that compresses"
            )
        return sorted(found, key=lambda info: info.key.encode())

    def fetch(self, info: ObjectInfo, path: Path, seen: Seen) -> str:
        """Copy a file into scratch space."""
        hasher = digests.Hasher()
        with _faults(), (self.root / info.key).open("rb") as file, path.open("wb") as copy:
            while block := file.read(BLOCK):
                hasher.update(block)
                copy.write(block)
                seen(len(block))
        return hasher.digest

    @contextmanager
    def named(self) -> Iterator[None]:
        """Say of whatever is wrong with the files who wrote them."""
        try:
            yield
        except Failure as failure:
            if failure.message.startswith(FIELD):
                raise
            taken = _SIGNS.get(self.format, self.format)
            message = f"{FIELD} wrote what is not taken as {taken}: {failure.message}"
            raise Failure(failure.reason, message, failure.exit_code) from None

    def _walk(self) -> Iterator[tuple[str, Stamp]]:
        pending, seen = [""], 0
        while pending:
            folder = pending.pop()
            with os.scandir(self.root / folder) as entries:
                for entry in entries:
                    seen += 1
                    if seen > self.limit:
                        raise _failed(
                            f"it wrote more than {self.limit} files and folders, the limit: write "
                            "fewer, larger files"
                        )
                    if entry.name.startswith((".", "_")):
                        continue
                    path = f"{folder}/{entry.name}" if folder else entry.name
                    stamp = Stamp.of(entry.stat(follow_symlinks=False))
                    if stamp.kind == "folder":
                        pending.append(path)
                    else:
                        yield path, stamp


def _failed(what: str) -> Failure:
    return Failure("PrepareFailed", f"{FIELD}: {what}")


def _named(path: str) -> str:
    try:
        path.encode()
    except UnicodeEncodeError:
        raise _failed(f"the name of {shown(path)} is not UTF-8: write it under another") from None
    return path


@contextmanager
def _faults() -> Iterator[None]:
    try:
        yield
    except PermissionError as error:
        raise _failed(
            f"{shown(str(error.filename))} may not be read: leave files readable for their owner"
        ) from None
