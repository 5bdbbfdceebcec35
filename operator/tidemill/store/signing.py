"""Keys that sign packages and keys that are believed: elliptic curve P-256, as PEM.

Imported only where a key is used: by the runner, the server and the plugin, not by the operator.
"""

import hashlib
from collections.abc import Sequence

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from tidemill.store import digests, signed
from tidemill.store.errors import PackageError, PackageReason
from tidemill.store.package import SIGNATURE, PackageManifest

MAX_KEY_BYTES = 16 * 1024
_MAKE = "make one with `openssl ecparam -name prime256v1 -genkey -noout`"


class KeyRefused(Exception):  # noqa: N818 - says what became of the key
    """What was given is no key that can be used here; the message says why, and never holds it."""


PublicKey = ec.EllipticCurvePublicKey
PrivateKey = ec.EllipticCurvePrivateKey


def private_key(pem: bytes, password: bytes | None = None) -> PrivateKey:
    """Read a private key; raises KeyRefused."""
    try:
        key = serialization.load_pem_private_key(_bounded(pem), password)
    except TypeError:
        # The library's words for both: a password too many, or one too few.
        lacks = password is None
        why = "is encrypted, and no password is given" if lacks else "is not encrypted, but a"
        raise KeyRefused(f"the key {why}" + ("" if lacks else " password is given")) from None
    except (ValueError, UnsupportedAlgorithm):
        wrong = "or its password is another" if password else "or is damaged"
        raise KeyRefused(f"it holds no private key in PEM, {wrong}: {_MAKE}") from None
    if not isinstance(key, PrivateKey) or not isinstance(key.curve, ec.SECP256R1):
        raise KeyRefused(f"its key is not of the curve P-256: {_MAKE}")
    return key


def public_key(pem: str) -> PublicKey:
    """Read a public key; raises KeyRefused."""
    try:
        key = serialization.load_pem_public_key(_bounded(pem.encode()))
    except (ValueError, UnsupportedAlgorithm):
        raise KeyRefused("it is no public key in PEM: see `openssl ec -pubout`") from None
    if not isinstance(key, PublicKey) or not isinstance(key.curve, ec.SECP256R1):
        raise KeyRefused("its key is not of the curve P-256")
    return key


def key_id(key: PublicKey) -> str:
    """What a key is called: the digest of its PEM, which `openssl ec -pubout | sha256sum` gives."""
    return digests.PREFIX + _hint(key)


def sign(manifest: PackageManifest, name: str, key: PrivateKey) -> bytes:
    """The signature of a package as the file beside it; the same key gives the same bytes."""
    payload = signed.statement(manifest, name)
    made = key.sign(signed.pae(payload), ec.ECDSA(hashes.SHA256(), deterministic_signing=True))
    return signed.bundle(signed.Envelope(payload, made, _hint(key.public_key())))


def verify(data: bytes, manifest: PackageManifest, keys: Sequence[PublicKey]) -> str:
    """Prove that one of the keys has signed this package; which. Raises PackageError."""
    envelope = signed.parse(data)
    by = [key for key in keys if envelope.hint in (None, _hint(key))]
    if not by:
        raise _invalid(
            f"the package is signed by the key {str(envelope.hint)[:12]}, which is none of those "
            f"that are believed ({', '.join(_hint(key)[:12] for key in keys)})"
        )
    for key in by:
        if _made_by(key, envelope):
            signed.check(envelope.payload, manifest)
            return key_id(key)
    raise _invalid(f"{SIGNATURE} is not what its key signs: it was altered, or made up")


def _made_by(key: PublicKey, envelope: signed.Envelope) -> bool:
    try:
        key.verify(envelope.signature, envelope.signed_bytes, ec.ECDSA(hashes.SHA256()))
    except InvalidSignature:
        return False
    return True


def _hint(key: PublicKey) -> str:
    pem = key.public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    return hashlib.sha256(pem).hexdigest()


def _bounded(pem: bytes) -> bytes:
    if len(pem) > MAX_KEY_BYTES:
        raise KeyRefused(f"it has more than {MAX_KEY_BYTES} bytes")
    return pem


def _invalid(message: str) -> PackageError:
    return PackageError(PackageReason.SIGNATURE_INVALID, message)
