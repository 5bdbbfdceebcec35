"""The run's log: to standard error for the cluster, to a file for the store, its end for status."""

import collections
import gzip
import logging
from pathlib import Path

LINES = 20
MAX_LINE = 200
MAX_BYTES = 32 * 1024 * 1024


class Journal(logging.Handler):
    """Keeps what is logged, bounded; use as a context, which also takes over the root logger."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
        self._path = path
        self._last: collections.deque[str] = collections.deque(maxlen=LINES)
        self._written = 0

    def __enter__(self) -> "Journal":
        self._file = self._path.open("w", encoding="utf-8")
        self._stream = logging.StreamHandler()
        self._stream.setFormatter(self.formatter)
        self._root = logging.getLogger()
        self._level = self._root.level
        self._root.setLevel(logging.INFO)
        for handler in (self, self._stream):
            self._root.addHandler(handler)
        return self

    def __exit__(self, *_: object) -> None:
        for handler in (self, self._stream):
            self._root.removeHandler(handler)
        self._root.setLevel(self._level)
        self._file.close()

    def emit(self, record: logging.LogRecord) -> None:
        text = self.format(record)
        self._last.extend(line[:MAX_LINE] for line in text.splitlines())
        if self._written < MAX_BYTES:
            self._written += self._file.write(f"{text}\n")

    def last(self) -> list[str]:
        return list(self._last)

    def compressed(self) -> bytes:
        """The whole log so far, as log.gz holds it."""
        self._file.flush()
        return gzip.compress(self._path.read_bytes(), mtime=0)
