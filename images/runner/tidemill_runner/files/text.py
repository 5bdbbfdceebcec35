"""The text of a file as a stream of UTF-8: unpacked by its first bytes, recoded, bounded.

gzip (RFC 1952, also of several members) and zstd (RFC 8878, also of several frames) are known by
their magic bytes, not by a name. A small file may unpack to any size, so what comes out is counted.
"""

import codecs
import io
from pathlib import Path

import pyarrow as pa

from tidemill_runner.failures import Failure
from tidemill_runner.files import magic

BLOCK = 4 * 1024 * 1024
# One object. Its rows are read at 50 MB a second or more, twice: well within an ingest's six hours.
MAX_UNPACKED = 64 * 1024**3
# Tables shrink to a third or a twentieth, rows of nearly equal numbers to a hundredth. gzip ends at
# 1 : 1032, zstd has no end. What is small when unpacked does no harm, however well it is packed.
MAX_RATIO = 250
FREE = 256 * 1024**2
_CODECS = {magic.GZIP: "gzip", magic.ZSTD: "zstd"}


class Text(io.RawIOBase):
    """A file to read from; `read` raises Failure, which names `key`. Use as a context."""

    def __init__(self, path: Path, key: str, codec: str = "utf-8") -> None:
        super().__init__()
        self._key = key
        self._packed = path.stat().st_size
        self._unpacked = 0
        self._packing = packing(path)
        self._file = pa.input_stream(str(path), compression=self._packing)
        self._decoder = None if codec == "utf-8" else codecs.getincrementaldecoder(codec)()
        self._codec = codec
        self._waiting = bytearray()
        self._lines = 0
        self._last: list[bytes] = []

    @property
    def tail(self) -> bytes:
        """The last blocks that were read; a row is never longer."""
        return b"".join(self._last)

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1, /) -> bytes:
        """The next bytes, fewer than `size` only at the end."""
        wanted = size if size >= 0 else MAX_UNPACKED
        data = self._raw(wanted) if self._decoder is None else self._recoded(wanted)
        if data:
            self._last = [*self._last[-2:], data]
        return data

    def close(self) -> None:
        self._file.close()
        super().close()

    def _raw(self, size: int) -> bytes:
        try:
            data: bytes = self._file.read(size)
        except OSError as error:
            raise Failure(
                "MalformedFile",
                f"{self._key} cannot be unpacked as {self._packing}, it is truncated or damaged "
                f"({error}): deliver it again",
            ) from None
        self._unpacked += len(data)
        if self._packing:
            self._check_size()
        return data

    def _check_size(self) -> None:
        limit = min(MAX_UNPACKED, max(FREE, MAX_RATIO * self._packed))
        if self._unpacked > limit:
            raise Failure(
                "MalformedFile",
                f"{self._key} unpacks from {self._packed} to more than {limit} bytes, the limit "
                f"({MAX_RATIO} times its size, at least {FREE} bytes, at most {MAX_UNPACKED}): "
                "deliver it uncompressed or in parts",
            )

    def _recoded(self, size: int) -> bytes:
        while len(self._waiting) < size and (block := self._raw(BLOCK)):
            self._waiting += self._decode(block, final=False)
        if len(self._waiting) < size:
            self._waiting += self._decode(b"", final=True)
        data = bytes(self._waiting[:size])
        del self._waiting[:size]
        return data

    def _decode(self, block: bytes, *, final: bool) -> bytes:
        decoder = self._decoder
        if decoder is None:
            return block
        try:
            text = decoder.decode(block, final)
        except UnicodeDecodeError as error:
            # The charmap codecs name themselves so; UTF-16 says which of both orders it found.
            codec = error.encoding if error.encoding.startswith("utf") else self._codec
            line = self._lines + error.object[: error.start].decode(codec).count("\n") + 1
            raise Failure(
                "WrongEncoding",
                f"{self._key}, line {line}: not {self._codec} "
                f"(byte 0x{error.object[error.start]:02x}): correct the source's csv.encoding",
            ) from None
        self._lines += text.count("\n")
        return text.encode("utf-8")


def packing(path: Path) -> str | None:
    """How a file is compressed, by its first bytes; None where it is not."""
    with path.open("rb") as file:
        start = file.read(4)
    return next((name for sign, name in _CODECS.items() if start.startswith(sign)), None)


class Uncommented(io.RawIOBase):
    """A text without the lines that begin with a sign, which are kept within quotes."""

    def __init__(self, text: Text, comment: str, quote: str | None) -> None:
        super().__init__()
        self._text = text
        self._comment = comment.encode()
        self._quote = quote.encode() if quote else None
        self._quoted = False
        self._rest = b""
        self._waiting = bytearray()
        self._last: list[bytes] = []

    @property
    def tail(self) -> bytes:
        return b"".join(self._last)

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1, /) -> bytes:
        wanted = size if size >= 0 else MAX_UNPACKED
        while len(self._waiting) < wanted and (block := self._text.read(BLOCK)):
            if not self._last and not self._waiting and not self._rest:
                block = block.removeprefix(codecs.BOM_UTF8)
            *lines, self._rest = (self._rest + block).splitlines(keepends=True)
            self._waiting += self._kept(lines)
        if len(self._waiting) < wanted:
            self._waiting += self._kept([self._rest])
            self._rest = b""
        data = bytes(self._waiting[:wanted])
        del self._waiting[:wanted]
        if data:
            self._last = [*self._last[-2:], data]
        return data

    def close(self) -> None:
        self._text.close()
        super().close()

    def _kept(self, lines: list[bytes]) -> bytes:
        kept = []
        for line in lines:
            if self._quoted or not line.startswith(self._comment):
                kept.append(line)
                if self._quote and line.count(self._quote) % 2:
                    self._quoted = not self._quoted
        return b"".join(kept)
