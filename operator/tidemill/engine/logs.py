"""Logs for developers: one JSON object per line, with the reconcile it belongs to.

`bound(key)` marks everything logged inside, on this task and those it starts, with kind, namespace,
name and a reconcile id, so that one reconcile can be read out of sixteen that run at once. Nothing
secret is ever passed to a logger; users need conditions and Events, not logs.
"""

import json
import logging
import secrets
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import UTC, datetime
from typing import TextIO

from tidemill.engine.key import Key

_bound: ContextVar[dict[str, str] | None] = ContextVar("bound", default=None)
_QUIET = ("kopf", "aiohttp.access", "asyncio")


class JsonFormatter(logging.Formatter):
    """One line per record: time, level, logger, message, the reconcile, and a traceback."""

    def format(self, record: logging.LogRecord) -> str:
        """Write the record as JSON."""
        when = datetime.fromtimestamp(record.created, UTC)
        entry = {
            "time": when.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
            **(_bound.get() or {}),
        }
        if record.exc_info:
            entry["error"] = self.formatException(record.exc_info)
        return json.dumps(entry, ensure_ascii=False)


@contextmanager
def bound(key: Key) -> Iterator[str]:
    """Mark all log lines inside with `key` and a new reconcile id, which is given."""
    identity = secrets.token_hex(4)
    token = _bound.set(
        {
            "kind": key.kind,
            "namespace": key.namespace,
            "name": key.name,
            "reconcileID": identity,
        }
    )
    try:
        yield identity
    finally:
        _bound.reset(token)


def configure(level: str, stream: TextIO = sys.stderr) -> None:
    """Send all logs of the process to `stream`; libraries speak only when something is wrong."""
    handler = logging.StreamHandler(stream)
    handler.setFormatter(JsonFormatter())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    for name in _QUIET:
        logging.getLogger(name).setLevel(max(root.level, logging.WARNING))
