"""An authority of the tests: certificates for servers and clients, and keys that sign tokens."""

import base64
import json
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import jwt
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import NameOID


def _pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )


def _name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


class Authority:
    """Signs certificates."""

    def __init__(self, name: str = "tests") -> None:
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = _name(name)
        self._certificate = self._signed(self._name, self._key.public_key(), ca=True)

    @property
    def certificate(self) -> bytes:
        return self._certificate.public_bytes(serialization.Encoding.PEM)

    def pair(self, name: str = "localhost", days: int = 1) -> tuple[bytes, bytes]:
        """A certificate for a name and 127.0.0.1, and its key."""
        key = ec.generate_private_key(ec.SECP256R1())
        found = self._signed(_name(name), key.public_key(), ca=False, names=(name,), days=days)
        return found.public_bytes(serialization.Encoding.PEM), _pem(key)

    def secret(self, folder: Path, name: str = "localhost", days: int = 1) -> Path:
        """Put a pair and the authority's own certificate as Kubernetes mounts a Secret."""
        certificate, key = self.pair(name, days)
        files = {"tls.crt": certificate, "tls.key": key, "ca.crt": self.certificate}
        return mount(folder, files)

    def _signed(
        self,
        subject: x509.Name,
        key: Any,
        *,
        ca: bool,
        names: tuple[str, ...] = (),
        days: int = 1,
    ) -> x509.Certificate:
        now = datetime.now(UTC)
        builder = (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self._name)
            .public_key(key)
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - timedelta(hours=1))
            .not_valid_after(now + timedelta(days=days))
            .add_extension(x509.BasicConstraints(ca=ca, path_length=None), critical=True)
        )
        if names:
            places = [x509.DNSName(name) for name in names]
            alternatives = x509.SubjectAlternativeName(
                [*places, x509.IPAddress(ip_address("127.0.0.1"))]
            )
            builder = builder.add_extension(alternatives, critical=False)
        return builder.sign(self._key, hashes.SHA256())


def mount(folder: Path, files: dict[str, bytes]) -> Path:
    """Put files into a folder, one link for all, moved at once: as the kubelet does."""
    folder.mkdir(parents=True, exist_ok=True)
    real = folder / f"..{time.time_ns()}"
    real.mkdir()
    for name, data in files.items():
        (real / name).write_bytes(data)
    fresh = folder / "..data_tmp"
    fresh.symlink_to(real.name)
    fresh.rename(folder / "..data")
    for link in [link for link in folder.iterdir() if not link.name.startswith("..")]:
        if link.name not in files:
            link.unlink()
    for name in files:
        if not (folder / name).is_symlink():
            (folder / name).symlink_to(f"..data/{name}")
    return folder


def _number(value: int) -> str:
    data = value.to_bytes((value.bit_length() + 7) // 8)
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


@dataclass
class Signer:
    """One key of an issuer."""

    name: str = "first"
    key: rsa.RSAPrivateKey = field(
        default_factory=lambda: rsa.generate_private_key(65537, key_size=2048)
    )

    def public(self, **more: Any) -> dict[str, Any]:
        """As RFC 7517 writes it."""
        numbers = self.key.public_key().public_numbers()
        own = {"kty": "RSA", "kid": self.name, "n": _number(numbers.n), "e": _number(numbers.e)}
        return {**own, **more}

    def token(self, algorithm: str = "RS256", head: Any = None, **claims: Any) -> str:
        """Signed for an hour, where the claims do not say otherwise; None leaves one out."""
        now = int(time.time())
        told: dict[str, Any] = {
            "iss": "https://issuer.example",
            "aud": "power",
            "sub": "ana",
            "iat": now,
            "exp": now + 3600,
            **claims,
        }
        kept = {name: value for name, value in told.items() if value is not None}
        told = {"kid": self.name, **(head or {})}
        return jwt.encode(
            *(kept, self.key, algorithm), {name: value for name, value in told.items() if value}
        )


def document(*signers: Signer, **more: Any) -> bytes:
    return json.dumps({"keys": [signer.public(**more) for signer in signers]}).encode()
