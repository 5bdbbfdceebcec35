"""Keys to sign with, made once, and packages to sign."""

from functools import cache
from pathlib import Path

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from tidemill.store import package, signing
from tidemill.store.package import PackageManifest

FILES = {"model.skops": b"model", "signature.json": b"{}", "environment.json": b"{}"}


@cache
def key(name: str = "ours") -> signing.PrivateKey:
    """Give the key of that name."""
    del name
    return ec.generate_private_key(ec.SECP256R1())


def private_pem(name: str = "ours", password: bytes | None = None) -> bytes:
    kept = (
        serialization.BestAvailableEncryption(password)
        if password
        else serialization.NoEncryption()
    )
    return key(name).private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, kept
    )


def public_pem(name: str = "ours") -> str:
    return (
        key(name)
        .public_key()
        .public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
        .decode()
    )


def key_id(name: str = "ours") -> str:
    return signing.key_id(key(name).public_key())


def sealed(folder: Path, files: dict[str, bytes] = FILES) -> PackageManifest:
    """Write a package into a folder."""
    folder.mkdir(exist_ok=True)
    for name, data in files.items():
        (folder / name).write_bytes(data)
    data, digest = package.build_manifest(folder)
    (folder / package.MANIFEST).write_bytes(data)
    return package.parse_manifest(data, digest)
