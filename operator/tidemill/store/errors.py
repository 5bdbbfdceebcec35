"""What can go wrong in the store, by what has to be done about it.

Messages name endpoint, bucket and key; never a key of access, never a signed address.
"""

# The names say what is the case, as the conditions of the API do.
# ruff: noqa: N818

from enum import StrEnum


class StoreError(Exception):
    """An operation on the object store failed."""


class NotFound(StoreError):
    """There is no such object."""


class AccessDenied(StoreError):
    """The store refuses these credentials: wrong, expired or without the right."""


class BucketMissing(StoreError):
    """The bucket does not exist."""


class Unavailable(StoreError):
    """The store does not answer, or answers with its own fault: try again later."""


class AlreadyExists(StoreError):
    """A create-only write found the object there."""


class Changed(StoreError):
    """The object was replaced: while it was read, or before it was written on that condition."""


class TooLarge(StoreError):
    """The object is larger than the caller is ready to hold."""


class PackageReason(StrEnum):
    """Why a model package is refused."""

    DIGEST_MISMATCH = "DigestMismatch"
    UNEXPECTED_FILE = "UnexpectedFile"
    MISSING_FILE = "MissingFile"
    UNSAFE_PATH = "UnsafePath"
    PICKLE_REFUSED = "PickleRefused"
    MALFORMED_PACKAGE = "MalformedPackage"
    SIGNATURE_INVALID = "SignatureInvalid"


class PackageError(Exception):
    """A model package is not what its manifest says, or holds what may not be loaded."""

    def __init__(self, reason: PackageReason, message: str) -> None:
        super().__init__(message)
        self.reason = reason
        self.message = message
