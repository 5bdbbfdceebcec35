"""Which version is meant: the one in use, the one that was not let in, or the one named."""

import re
from collections.abc import Mapping
from typing import Any

from tidemill.cli.data import Data
from tidemill.cli.failure import Exit, Failure
from tidemill.cli.words import short

LATEST = "latest"
REJECTED = "rejected"
_DIGITS = re.compile(r"(?:sha256:)?[0-9a-f]{6,64}")
_WHOLE = 64


def named(data: Data, name: str, text: str) -> str:
    """Give what the operator resolves: a digest or its first digits; raises Failure."""
    if text not in (LATEST, REJECTED):
        if not _DIGITS.fullmatch(text):
            why = f"{text!r} is no version: give {LATEST}, {REJECTED}, or at least 6 digits of a"
            raise Failure(Exit.USAGE, f"{why} digest")
        return text if len(text) < _WHOLE or text.startswith("sha256:") else f"sha256:{text}"
    body = data.dataset(name)
    status = body.get("status") or {}
    if text == LATEST and status.get("version"):
        return str(status["version"])
    if text == REJECTED and status.get("rejected"):
        return str(status["rejected"]["version"])
    if text == REJECTED:
        why = "the newest delivery of {} was let in: see `kubectl tidemill dataset history {}`"
        raise Failure(Exit.REFUSED, why.format(name, name))
    raise Failure(Exit.REFUSED, f"{name} has no version yet: {_ready(status)}")


def verdict(item: Mapping[str, Any], status: Mapping[str, Any]) -> str:
    """Say in one word what became of a version."""
    if item["version"] == status.get("version"):
        return "InUse"
    return "Rejected" if item.get("rejected") else "Accepted"


def completed(status: Mapping[str, Any]) -> dict[str, str]:
    """Give what one may complete a version by, each with a word on it."""
    found = {LATEST: "the version in use", REJECTED: "the delivery that was not let in"}
    for item in status.get("versions") or ():
        found[short(item["version"])] = f"{item['rows']} rows, {item['createdAt']}"
    return found


def _ready(status: Mapping[str, Any]) -> str:
    conditions = status.get("conditions") or ()
    ready = next((one for one in conditions if one.get("type") == "Ready"), None)
    if ready is None:
        return "the operator has not looked at it yet"
    return f"{ready.get('reason')}: {ready.get('message')}"
