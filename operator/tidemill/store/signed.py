"""A package's signature as it lies beside the manifest: what it says, not yet who may be believed.

It is what the OpenSSF's model signing specification makes of a key: a Sigstore bundle (v0.3) around
a DSSE envelope with an in-toto statement, which names every file of the package by its sha256, the
manifest among them. The tools that know the specification read it, and their signatures are read
here. It is no part of the package: the digest is the same with and without it.
"""

import base64
import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from tidemill.store import digests
from tidemill.store.errors import PackageError, PackageReason
from tidemill.store.package import MANIFEST, SIGNATURE, PackageManifest

BUNDLE_TYPE = "application/vnd.dev.sigstore.bundle.v0.3+json"
PAYLOAD_TYPE = "application/vnd.in-toto+json"
STATEMENT_TYPE = "https://in-toto.io/Statement/v1"
PREDICATE_TYPE = "https://model_signing/signature/v1.0"
MAX_SIGNATURE_BYTES = 64 * 1024
_UNREADABLE = (ValueError, KeyError, TypeError, AttributeError, IndexError, RecursionError)


@dataclass(frozen=True)
class Envelope:
    """What was signed, by which key it says, and the signature's bytes."""

    payload: bytes
    signature: bytes
    # sha256 of the public key as PEM, in hex; signatures of old have none.
    hint: str | None

    @property
    def signed_bytes(self) -> bytes:
        """What the signature is over: DSSE's encoding of type and payload."""
        return pae(self.payload)


def pae(payload: bytes) -> bytes:
    head = f"DSSEv1 {len(PAYLOAD_TYPE)} {PAYLOAD_TYPE} {len(payload)} "
    return head.encode() + payload


def statement(manifest: PackageManifest, name: str) -> bytes:
    """What a signature of the package is over, canonical; `name` is what people call the model."""
    files = _files(manifest)
    content = {
        "_type": STATEMENT_TYPE,
        "subject": [{"name": name, "digest": {"sha256": _root(files.values())}}],
        "predicateType": PREDICATE_TYPE,
        "predicate": {
            "serialization": {
                "method": "files",
                "hash_type": "sha256",
                "allow_symlinks": False,
                "ignore_paths": [SIGNATURE],
            },
            "resources": [
                {"name": path, "algorithm": "sha256", "digest": digest}
                for path, digest in files.items()
            ],
        },
    }
    return digests.canonical_json(content)


def bundle(envelope: Envelope) -> bytes:
    """The file; the same envelope gives the same bytes."""
    return digests.canonical_json(
        {
            "mediaType": BUNDLE_TYPE,
            "verificationMaterial": {"publicKey": {"hint": envelope.hint}, "tlogEntries": []},
            "dsseEnvelope": {
                "payload": base64.b64encode(envelope.payload).decode(),
                "payloadType": PAYLOAD_TYPE,
                "signatures": [{"sig": base64.b64encode(envelope.signature).decode(), "keyid": ""}],
            },
        }
    )


def parse(data: bytes) -> Envelope:
    """Read the file; raises PackageError. Nothing is proved by this."""
    if len(data) > MAX_SIGNATURE_BYTES:
        raise _invalid(f"{SIGNATURE} has more than {MAX_SIGNATURE_BYTES} bytes")
    try:
        return _parsed(json.loads(data))
    except _UNREADABLE as error:
        why = f"{SIGNATURE} cannot be read: {type(error).__name__}: {error}"
        raise _invalid(why[:500]) from None


def _parsed(document: Mapping[str, Any]) -> Envelope:
    if document["mediaType"] != BUNDLE_TYPE:
        raise ValueError(f"its type is {document['mediaType']!r}, not {BUNDLE_TYPE!r}")
    material = document["verificationMaterial"]
    if "publicKey" not in material:
        raise ValueError("it was not made with a key but with a certificate, which is not trusted")
    hint = material["publicKey"].get("hint") or None
    if hint is not None and (not isinstance(hint, str) or len(hint) > 128):
        raise ValueError("its key's hint is no short text")
    envelope = document["dsseEnvelope"]
    if envelope["payloadType"] != PAYLOAD_TYPE:
        raise ValueError(f"its payload is {envelope['payloadType']!r}, not {PAYLOAD_TYPE!r}")
    (one,) = envelope["signatures"]
    return Envelope(_decoded(envelope["payload"]), _decoded(one["sig"]), hint)


def check(payload: bytes, manifest: PackageManifest) -> None:
    """Prove that what was signed is this package, all of it and no more; raises PackageError."""
    try:
        told = _told(json.loads(payload))
    except _UNREADABLE as error:
        why = f"what {SIGNATURE} signs cannot be read: {type(error).__name__}: {error}"
        raise _invalid(why[:500]) from None
    own = _files(manifest)
    differ = sorted(path for path in told.keys() | own.keys() if told.get(path) != own.get(path))
    if differ:
        what = "does not name" if differ[0] not in told else "names otherwise than it is"
        raise _invalid(f"{SIGNATURE} is of another package: it {what} {differ[0]!r}")


def _told(document: Mapping[str, Any]) -> dict[str, str]:
    """The files that a statement names, by their digests in hex."""
    kinds = document["_type"], document["predicateType"]
    if kinds != (STATEMENT_TYPE, PREDICATE_TYPE):
        raise ValueError(f"it is {kinds[1]!r}, not {PREDICATE_TYPE!r}")
    predicate = document["predicate"]
    serialization = predicate["serialization"]
    if serialization["method"] != "files" or serialization["hash_type"] != "sha256":
        raise ValueError("it names files otherwise than whole and by sha256")
    found: dict[str, str] = {}
    for one in predicate["resources"]:
        path, digest = one["name"], one["digest"]
        if one["algorithm"] != "sha256" or not digests.is_digest(f"{digests.PREFIX}{digest}"):
            raise ValueError(f"{path!r} has no sha256")
        if path in found:
            raise ValueError(f"it names {path!r} twice")
        found[path] = digest
    (subject,) = document["subject"]
    if subject["digest"]["sha256"] != _root(found.values()):
        raise ValueError("its digest over all files is not that of the files it names")
    return found


def _files(manifest: PackageManifest) -> dict[str, str]:
    """The sha256 of every file in hex, by path, in the order of the paths."""
    files = {file.path: digests.hex_of(file.digest) for file in manifest.files}
    return dict(sorted({**files, MANIFEST: digests.hex_of(manifest.digest)}.items()))


def _root(files: Iterable[str]) -> str:
    return hashlib.sha256(b"".join(bytes.fromhex(digest) for digest in files)).hexdigest()


def _decoded(text: object) -> bytes:
    if not isinstance(text, str):
        raise TypeError("base64 is wanted")
    return base64.b64decode(text, validate=True)


def missing() -> PackageError:
    """The package has no signature, where one is wanted."""
    return _invalid(f"the package is not signed: it has no {SIGNATURE}")


def _invalid(message: str) -> PackageError:
    return PackageError(PackageReason.SIGNATURE_INVALID, message)
