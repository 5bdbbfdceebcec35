"""Failures with a documented reason, and the translation of everything else into one.

A module that knows what went wrong raises `Failure`; its exit code follows from the reason. What
the store raises is translated here; anything left is a fault of the runner.
"""

import errno

from tidemill.store import errors
from tidemill.store.config import StoreConfigError
from tidemill_runner.exits import Exit

EXITS: dict[str, Exit] = {
    "AccessDenied": Exit.USER,
    "BucketMissing": Exit.USER,
    "SpecInvalid": Exit.USER,
    "TargetMissing": Exit.USER,
    "FeaturesInvalid": Exit.USER,
    "SplitInvalid": Exit.USER,
    "WeightsInvalid": Exit.USER,
    "EstimatorRefused": Exit.USER,
    "ParameterInvalid": Exit.USER,
    "MetricInvalid": Exit.USER,
    "PrepareInvalid": Exit.USER,
    "CheckInvalid": Exit.USER,
    "PrepareFailed": Exit.DATA,
    "FitFailed": Exit.USER,
    "OOMKilled": Exit.USER,
    "LossNotFinite": Exit.USER,
    "ModelNotPackable": Exit.USER,
    "TargetInvalid": Exit.DATA,
    "PrefixEmpty": Exit.DATA,
    "DatasetCorrupt": Exit.DATA,
    "RaggedRows": Exit.DATA,
    "WrongEncoding": Exit.DATA,
    "DuplicateColumns": Exit.DATA,
    "NoRows": Exit.DATA,
    "MalformedFile": Exit.DATA,
    "SchemasDiffer": Exit.DATA,
    "SourceMissing": Exit.USER,
    "SourceMutated": Exit.DATA,
    "AddressForbidden": Exit.USER,
    "QueryInvalid": Exit.USER,
    "DigestMismatch": Exit.DATA,
    "SourceChanged": Exit.INFRASTRUCTURE,
    "SourceUnavailable": Exit.INFRASTRUCTURE,
    "WorkersLost": Exit.INFRASTRUCTURE,
    "ScratchFull": Exit.INFRASTRUCTURE,
    "OnlineStoreUnavailable": Exit.INFRASTRUCTURE,
    "OnlineStoreFull": Exit.USER,
    "SecretInvalid": Exit.USER,
    "PickleRefused": Exit.USER,
    "ModelUnloadable": Exit.USER,
    "StoreUnavailable": Exit.INFRASTRUCTURE,
    "InternalError": Exit.BUG,
}
MAX_MESSAGE = 1500
_NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
_NO_ROOM_WORDS = ("No space left on device", "Disk quota exceeded", "File too large")


class Failure(Exception):  # noqa: N818 - a failed run is what it stands for
    """The run cannot succeed; the message names the field, object or file and the way out."""

    def __init__(self, reason: str, message: str, exit_code: Exit | None = None) -> None:
        super().__init__(message)
        self.reason = reason
        self.message = message if len(message) <= MAX_MESSAGE else message[:MAX_MESSAGE] + "…"
        self.exit_code = EXITS[reason] if exit_code is None else exit_code

    def __reduce__(self) -> tuple[type["Failure"], tuple[str, str, Exit]]:
        return type(self), (self.reason, self.message, self.exit_code)


def no_room(error: BaseException) -> Failure | None:
    """A Failure where there was no room to write; the database has words for it, no number."""
    numbered = isinstance(error, OSError) and error.errno in _NO_ROOM
    worded = type(error).__name__ == "IOException" and any(
        words in str(error) for words in _NO_ROOM_WORDS
    )
    if not numbered and not worded:
        return None
    return Failure(
        "ScratchFull",
        "no room is left in the scratch space, where data lie as they came and as typed rows: give "
        "the node more disk, keep the pod off it with spec.template, or use less data at once",
    )


def translate(error: BaseException) -> Failure:
    """A Failure for any exception."""
    if full := no_room(error):
        return full
    match error:
        case Failure():
            return error
        case errors.AccessDenied():
            # Not the source's (that is translated where it is read): the Job's own short-lived
            # keys. A new Job gets new ones.
            return Failure("AccessDenied", str(error), Exit.INFRASTRUCTURE)
        case errors.BucketMissing():
            return Failure("BucketMissing", str(error), Exit.INFRASTRUCTURE)
        case errors.StoreError():
            return Failure("StoreUnavailable", str(error))
        case StoreConfigError():
            return Failure("InternalError", str(error))
        case MemoryError():
            return Failure(
                "FitFailed",
                f"out of memory: {error}; raise the memory limit in spec.template or use less data",
            )
        case _:
            return Failure("InternalError", f"{type(error).__name__}: {error}")
