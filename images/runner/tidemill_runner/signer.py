"""Whose key signs a run's package: read before any data is, used when the package is whole."""

from dataclasses import dataclass

from tidemill.store import package, signing
from tidemill_runner.failures import Failure
from tidemill_runner.signing_key import SigningKey

KEY, PASSWORD = "key", "password"


@dataclass(frozen=True)
class Signer:
    """A key that can sign."""

    key: signing.PrivateKey

    @classmethod
    def read(cls, place: SigningKey | None) -> "Signer | None":
        """Read the key, if one is to sign; raises Failure."""
        if place is None:
            return None
        try:
            pem = (place.folder / KEY).read_bytes()
            password = place.folder / PASSWORD
            given = password.read_bytes().strip() if password.exists() else None
            return cls(signing.private_key(pem, given))
        except OSError as error:
            message = f"{place.called} cannot be read: {error.strerror}"
            raise Failure("SecretInvalid", message) from None
        except signing.KeyRefused as error:
            raise Failure("SecretInvalid", f"{place.called} cannot sign: {error}") from None

    @property
    def key_id(self) -> str:
        """The digest of the public key."""
        return signing.key_id(self.key.public_key())

    def sign(self, manifest: bytes, digest: str, name: str) -> bytes:
        """The signature of a package, by its manifest."""
        return signing.sign(package.parse_manifest(manifest, digest), name, self.key)
