"""Whose signature a package bears, where the deployment demands one: proved before it is read.

The signature is over the digest of every file and of the manifest, so that once it holds, whatever
the manifest proves is what was signed.
"""

import logging
from collections.abc import Callable

from tidemill.store import signed
from tidemill.store.objects import NotFound, TooLarge
from tidemill.store.package import SIGNATURE, PackageError, PackageReason
from tidemill_server.exits import SPEC_INVALID, Exit, Refused
from tidemill_server.package.fetch import Bucket, read_manifest
from tidemill_server.settings import Settings

log = logging.getLogger(__name__)


async def prove_signed(store: Bucket, settings: Settings, *, say: Callable[[str], None]) -> None:
    """Return where no signature is demanded, or one is right.

    Raises PackageError, StoreError, or Refused where the keys given are none.
    """
    if not settings.public_keys:
        return
    # Not needed by most; it takes some milliseconds to import.
    from tidemill.store import signing  # noqa: PLC0415

    try:
        keys = [signing.public_key(pem) for pem in settings.public_keys]
    except signing.KeyRefused as error:
        message = f"verification.publicKeys: {error}"
        raise Refused(SPEC_INVALID, message, Exit.USER_ERROR) from None
    say("proving the signature")
    manifest = await read_manifest(store, settings.prefix, settings.model_digest)
    key = signing.verify(await _signature(store, settings.prefix), manifest, keys)
    log.info("signed", extra={"key": key})


async def _signature(store: Bucket, prefix: str) -> bytes:
    try:
        return await store.get(prefix + SIGNATURE, max_bytes=signed.MAX_SIGNATURE_BYTES)
    except NotFound:
        raise signed.missing() from None
    except TooLarge as error:
        raise PackageError(PackageReason.SIGNATURE_INVALID, str(error)) from None
