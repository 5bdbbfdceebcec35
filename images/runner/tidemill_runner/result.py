"""What a run leaves: `result.json`, written last, and a word to the kubelet that needs no store."""

import json
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from tidemill.store import digests
from tidemill_runner.failures import Failure
from tidemill_runner.inputs import API_VERSION

RESULT = "result.json"
LOG = "log.gz"
# Of the first of two processes: the other one's is the run's.
FIRST_LOG = "collect-log.gz"
# Of the one that runs beside a user's code.
FOLLOWER_LOG = "follow-log.gz"
# The kubelet cuts at 4096 bytes; a document cut in the middle could not be read.
MAX_TERMINATION = 4000


def document(
    verb: str, body: Mapping[str, Any], started: datetime, completed: datetime
) -> tuple[bytes, str]:
    """The result of a run that succeeded, and its digest."""
    data = digests.canonical_json(
        {
            "apiVersion": API_VERSION,
            "verb": verb,
            "outcome": "Succeeded",
            **body,
            "startedAt": _text(started),
            "completedAt": _text(completed),
        }
    )
    return data, digests.sha256_digest(data)


def succeeded(path: Path, digest: str) -> None:
    _write(path, {"result": digest})


def failed(path: Path, failure: Failure, log: list[str]) -> None:
    """Reason, message and as many of the last lines as fit."""
    lines = list(log)
    while True:
        message = {"reason": failure.reason, "message": failure.message, "log": lines}
        if not lines or _size(message) <= MAX_TERMINATION:
            break
        lines = lines[1:]
    _write(path, message)


def _write(path: Path, message: Mapping[str, Any]) -> None:
    path.write_bytes(json.dumps(message, ensure_ascii=False).encode())


def _size(message: Mapping[str, Any]) -> int:
    return len(json.dumps(message, ensure_ascii=False).encode())


def _text(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")
