"""Signatures of packages: ours are those of the specification, and what is not right is refused."""

import base64
import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import model_signing
import pytest
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.store import keys

from tidemill.store import package, signed, signing
from tidemill.store.errors import PackageError, PackageReason
from tidemill.store.package import PackageManifest

PUBLIC = signing.public_key(keys.public_pem())
OTHER = signing.public_key(keys.public_pem("other"))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "package"


@pytest.fixture
def manifest(folder: Path) -> PackageManifest:
    return keys.sealed(folder)


def signed_by(name: str, manifest: PackageManifest) -> bytes:
    return signing.sign(manifest, "m", keys.key(name))


def refused(data: bytes, manifest: PackageManifest, *trusted: signing.PublicKey) -> str:
    with pytest.raises(PackageError) as caught:
        signing.verify(data, manifest, trusted or (PUBLIC,))
    assert caught.value.reason is PackageReason.SIGNATURE_INVALID
    return caught.value.message


def changed(data: bytes, change: Callable[[dict[str, Any]], object]) -> bytes:
    document = json.loads(data)
    change(document)
    return json.dumps(document).encode()


def stated(
    manifest: PackageManifest, change: Callable[[dict[str, Any]], object], name: str = "ours"
) -> bytes:
    """A right signature over a statement that is another."""
    payload = changed(signed.statement(manifest, "m"), change)
    made = keys.key(name).sign(signed.pae(payload), ec.ECDSA(hashes.SHA256()))
    return signed.bundle(signed.Envelope(payload, made, keys.key_id(name)[7:]))


def test_what_is_signed_is_believed(manifest: PackageManifest) -> None:
    data = signed_by("ours", manifest)
    assert signing.verify(data, manifest, [OTHER, PUBLIC]) == keys.key_id()
    assert data == signed_by("ours", manifest), "the same package has the same signature"
    assert len(data) < 4096


def test_a_key_is_called_by_the_digest_of_its_pem() -> None:
    digest = hashlib.sha256(keys.public_pem().encode()).hexdigest()
    assert signing.key_id(PUBLIC) == f"sha256:{digest}"


def test_the_signature_is_no_part_of_the_package(folder: Path, manifest: PackageManifest) -> None:
    (folder / package.SIGNATURE).write_bytes(signed_by("ours", manifest))
    assert package.build_manifest(folder)[1] == manifest.digest
    names = {path.name for path in folder.iterdir()}
    package.check_names(manifest, names)
    with pytest.raises(PackageError, match=r"another\.sig"):
        package.check_names(manifest, names | {"another.sig"})


def test_the_specifications_own_library_accepts_what_we_sign(
    folder: Path, manifest: PackageManifest, tmp_path: Path
) -> None:
    (folder / package.SIGNATURE).write_bytes(signed_by("ours", manifest))
    public = tmp_path / "public.pem"
    public.write_text(keys.public_pem())
    verifier = model_signing.verifying.Config().use_elliptic_key_verifier(public_key=public)
    verifier.verify(folder, folder / package.SIGNATURE)
    (folder / "model.skops").write_bytes(b"madel")
    with pytest.raises(ValueError, match="mismatch"):
        model_signing.verifying.Config().use_elliptic_key_verifier(public_key=public).verify(
            folder, folder / package.SIGNATURE
        )


def test_we_accept_what_the_specifications_own_library_signs(
    folder: Path, manifest: PackageManifest, tmp_path: Path
) -> None:
    private = tmp_path / "private.pem"
    private.write_bytes(keys.private_pem())
    config = model_signing.signing.Config().use_elliptic_key_signer(private_key=private)
    config.sign(folder, tmp_path / "model.sig")
    data = (tmp_path / "model.sig").read_bytes()
    assert signing.verify(data, manifest, [PUBLIC]) == keys.key_id()
    assert "none of those that are believed" in refused(data, manifest, OTHER)


def test_a_signature_of_old_names_no_key(manifest: PackageManifest) -> None:
    def without(document: dict[str, Any]) -> None:
        del document["verificationMaterial"]["publicKey"]["hint"]

    data = changed(signed_by("ours", manifest), without)
    assert signing.verify(data, manifest, [OTHER, PUBLIC]) == keys.key_id()
    assert "not what its key signs" in refused(data, manifest, OTHER)


def test_another_key(manifest: PackageManifest) -> None:
    message = refused(signed_by("other", manifest), manifest)
    assert keys.key_id("other")[7:19] in message
    assert keys.key_id()[7:19] in message


def test_another_key_that_pretends(manifest: PackageManifest) -> None:
    def pretend(document: dict[str, Any]) -> None:
        document["verificationMaterial"]["publicKey"]["hint"] = keys.key_id()[7:]

    data = changed(signed_by("other", manifest), pretend)
    assert "not what its key signs" in refused(data, manifest)


def test_the_signature_of_another_package(manifest: PackageManifest, tmp_path: Path) -> None:
    other = keys.sealed(tmp_path / "other", {**keys.FILES, "card.md": b"#"})
    message = refused(signed_by("ours", other), manifest)
    assert message.startswith("model.sig is of another package")
    assert "'card.md'" in message


def resource(document: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = document["predicate"]["resources"][0]
    return found


STATEMENTS: list[tuple[str, Callable[[dict[str, Any]], object], str]] = [
    ("of another kind", lambda d: d.update(predicateType="https://slsa.dev/provenance/v1"), "slsa"),
    ("over shards", lambda d: d["predicate"]["serialization"].update(method="shards"), "whole"),
    ("by blake2b", lambda d: d["predicate"]["serialization"].update(hash_type="blake2b"), "sha256"),
    ("without a file", lambda d: d["predicate"]["resources"].pop(), "digest over all files"),
    ("of a file twice", lambda d: d["predicate"]["resources"].append(resource(d)), "twice"),
    ("with no sha256", lambda d: resource(d).update(digest="ff"), "no sha256"),
    ("of no files", lambda d: d["predicate"].update(resources=[]), "digest over all files"),
    ("of two models", lambda d: d["subject"].append(d["subject"][0]), "cannot be read"),
    ("of no form", lambda d: d.update(predicate=[]), "cannot be read"),
]


@pytest.mark.parametrize(
    ("change", "says"), [case[1:] for case in STATEMENTS], ids=[case[0] for case in STATEMENTS]
)
def test_a_statement_that_is_signed_and_not_of_the_package(
    manifest: PackageManifest, change: Callable[[dict[str, Any]], object], says: str
) -> None:
    assert says in refused(stated(manifest, change), manifest)


def envelope(document: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = document["dsseEnvelope"]
    return found


BUNDLES: list[tuple[str, Callable[[dict[str, Any]], object], str]] = [
    ("another bundle", lambda d: d.update(mediaType="v0.1"), "v0.1"),
    (
        "by a certificate",
        lambda d: d.update(verificationMaterial={"certificate": {"rawBytes": ""}}),
        "certificate",
    ),
    ("another payload", lambda d: envelope(d).update(payloadType="text/plain"), "text/plain"),
    ("no base64", lambda d: envelope(d).update(payload="%%"), "cannot be read"),
    ("no signature", lambda d: envelope(d).update(signatures=[]), "cannot be read"),
    (
        "two signatures",
        lambda d: envelope(d).update(signatures=envelope(d)["signatures"] * 2),
        "cannot be read",
    ),
    ("an empty signature", lambda d: envelope(d)["signatures"][0].update(sig=""), "altered"),
    (
        "another statement",
        lambda d: envelope(d).update(payload=base64.b64encode(b"{}").decode()),
        "altered",
    ),
]


@pytest.mark.parametrize(
    ("change", "says"), [case[1:] for case in BUNDLES], ids=[case[0] for case in BUNDLES]
)
def test_a_bundle_that_is_not_right(
    manifest: PackageManifest, change: Callable[[dict[str, Any]], object], says: str
) -> None:
    assert says in refused(changed(signed_by("ours", manifest), change), manifest)


@pytest.mark.parametrize(
    "data", [b"", b"[]", b"null", b"{", b"\xff", b"[" * 100_000, b"x" * 70_000]
)
def test_a_file_that_is_no_bundle(manifest: PackageManifest, data: bytes) -> None:
    assert "model.sig" in refused(data, manifest)


MANIFEST_OF_FILES = PackageManifest(
    tuple(package.PackageFile(name, "sha256:" + "1" * 64, 1) for name in keys.FILES),
    "sha256:" + "2" * 64,
)
RIGHT = signing.sign(MANIFEST_OF_FILES, "m", keys.key())
JSON = st.recursive(
    st.none() | st.booleans() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner),
    max_leaves=8,
)


def places(document: object, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Every place of a document."""
    found = [path] if path else []
    if isinstance(document, dict):
        for name, inner in document.items():
            found += places(inner, (*path, name))
    elif isinstance(document, list):
        for place, inner in enumerate(document):
            found += places(inner, (*path, place))
    return found


def replaced(data: bytes, path: tuple[Any, ...], value: object) -> bytes:
    document: Any = json.loads(data)
    inner = document
    for name in path[:-1]:
        inner = inner[name]
    inner[path[-1]] = value
    return json.dumps(document).encode()


# What may be anything: nothing is read from it, or where it is absent, any key is tried.
FREE = {
    ("verificationMaterial", "tlogEntries"),
    ("dsseEnvelope", "signatures", 0, "keyid"),
    ("verificationMaterial", "publicKey", "hint"),
}


@given(place=st.sampled_from(places(json.loads(RIGHT))), value=JSON)
def test_whatever_stands_in_a_bundle_it_is_right_or_refused(
    place: tuple[Any, ...], value: object
) -> None:
    data = replaced(RIGHT, place, value)
    try:
        found = signing.verify(data, MANIFEST_OF_FILES, [PUBLIC])
    except PackageError:
        return
    assert found == keys.key_id()
    assert place in FREE or json.loads(data) == json.loads(RIGHT)


@given(data=st.binary(max_size=300))
def test_whatever_bytes_are_no_signature(data: bytes) -> None:
    with pytest.raises(PackageError):
        signing.verify(data, MANIFEST_OF_FILES, [PUBLIC])


@given(place=st.integers(0, len(RIGHT) - 1), byte=st.integers(0, 255))
def test_one_byte_changed(place: int, byte: int) -> None:
    data = RIGHT[:place] + bytes([byte]) + RIGHT[place + 1 :]
    try:
        found = signing.verify(data, MANIFEST_OF_FILES, [PUBLIC])
    except PackageError:
        return
    # What is read was not touched: a name that nothing depends on, or the same byte.
    kept, now = signed.parse(RIGHT), signed.parse(data)
    assert found == keys.key_id()
    assert (kept.payload, kept.signature) == (now.payload, now.signature)


def rsa_pem() -> bytes:
    made = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    return made.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )


def curve_pem(curve: ec.EllipticCurve) -> bytes:
    return ec.generate_private_key(curve).private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.TraditionalOpenSSL,
        serialization.NoEncryption(),
    )


@pytest.mark.parametrize(
    ("pem", "password", "says"),
    [
        (b"", None, "no private key in PEM"),
        (b"x" * 20_000, None, "more than"),
        (keys.private_pem()[:80], None, "no private key in PEM"),
        (keys.public_pem().encode(), None, "no private key in PEM"),
        (keys.private_pem(password=b"p"), None, "is encrypted, and no password is given"),
        (keys.private_pem(password=b"p"), b"q", "its password is another"),
        (keys.private_pem(), b"p", "is not encrypted, but a password is given"),
        (rsa_pem(), None, "not of the curve P-256"),
        (curve_pem(ec.SECP384R1()), None, "not of the curve P-256"),
    ],
    ids=["empty", "long", "cut off", "public", "encrypted", "wrong", "plain", "RSA", "P-384"],
)
def test_a_private_key_that_cannot_sign(pem: bytes, password: bytes | None, says: str) -> None:
    with pytest.raises(signing.KeyRefused) as caught:
        signing.private_key(pem, password)
    assert says in str(caught.value)


def test_private_keys_of_either_form() -> None:
    own = keys.private_pem(password=b"p")
    assert signing.private_key(own, b"p").public_key() == PUBLIC
    signing.private_key(curve_pem(ec.SECP256R1()))


NO_KEYS = {
    "nothing": "",
    "no PEM": "x",
    "a private one": keys.private_pem().decode(),
    "a part": keys.public_pem()[:90],
}


@pytest.mark.parametrize("pem", NO_KEYS.values(), ids=NO_KEYS)
def test_a_public_key_that_is_none(pem: str) -> None:
    with pytest.raises(signing.KeyRefused):
        signing.public_key(pem)
