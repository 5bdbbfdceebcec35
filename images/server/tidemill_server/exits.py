"""How the process ends, and what it leaves for the operator to read.

The exit codes are those of the runner. Where the model is refused, the termination message is one
JSON object `{"reason", "message"}`; the reason is one of `tidemill.api.v1alpha1.reasons`. A store
that does not answer is never an end: the server stays, not ready, and tries again.
"""

import json
import logging
from enum import IntEnum
from pathlib import Path

MAX_MESSAGE_CHARS = 1500
MODEL_UNLOADABLE = "ModelUnloadable"
SPEC_INVALID = "SpecInvalid"
INTERNAL_ERROR = "InternalError"

log = logging.getLogger(__name__)


class Exit(IntEnum):
    """What the exit code says about who has to act."""

    OK = 0
    USER_ERROR = 10  # the environment given to the server is wrong: starting again cannot help
    DATA_ERROR = 20  # the model package is refused: starting again cannot help
    BUG = 70  # a fault in the server


class Refused(Exception):  # noqa: N818 - says what became of the model
    """The server cannot serve what it was given; it ends with this reason and message."""

    def __init__(self, reason: str, message: str, code: Exit = Exit.DATA_ERROR) -> None:
        super().__init__(message)
        self.reason = reason
        self.message = message
        self.code = code


def write_termination(path: Path, refused: Refused) -> None:
    """Leave the reason where Kubernetes copies it into the pod's status (4 KiB at most)."""
    message = refused.message
    if len(message) > MAX_MESSAGE_CHARS:
        message = message[: MAX_MESSAGE_CHARS - 1] + "…"
    text = json.dumps({"reason": refused.reason, "message": message}, ensure_ascii=False)
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        log.warning("the termination message cannot be written: %s", error)
