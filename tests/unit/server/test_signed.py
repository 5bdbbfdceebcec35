"""A server that demands a signature: it serves what its keys have signed, and nothing else."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.unit.server import packages
from tests.unit.server.bucket import Bucket
from tests.unit.server.servers import serve
from tests.unit.store import keys

from tidemill.store import package, signing
from tidemill_server.exits import Exit

KEYS = "TIDEMILL_MODEL_PUBLIC_KEYS"


@pytest.fixture(scope="module")
def files() -> dict[str, bytes]:
    return packages.logistic().files()


def sign(bucket: Bucket, digest: str, name: str = "ours") -> None:
    data = bucket.objects[packages.PREFIX + package.MANIFEST]
    manifest = package.parse_manifest(data, digest)
    bucket.objects[packages.PREFIX + package.SIGNATURE] = signing.sign(
        manifest, "power", keys.key(name)
    )


def believing(*names: str) -> dict[str, str]:
    return {KEYS: json.dumps([keys.public_pem(name) for name in names])}


def test_what_one_of_the_keys_has_signed_is_served(
    bucket: Bucket, files: dict[str, bytes], tmp_path: Path
) -> None:
    digest = packages.publish(bucket, files)
    sign(bucket, digest)
    with serve(bucket, digest, tmp_path, **believing("other", "ours")) as server:
        server.listen()
        assert server.wait_for_log("signed")["key"] == keys.key_id()
        server.wait_for_log("ready")


def test_a_signature_that_nobody_demands_is_not_read(
    bucket: Bucket, files: dict[str, bytes], tmp_path: Path
) -> None:
    digest = packages.publish(bucket, files)
    bucket.objects[packages.PREFIX + package.SIGNATURE] = b"not one"
    with serve(bucket, digest, tmp_path) as server:
        server.listen()
        server.wait_for_log("ready")


def unsigned(_: Bucket, __: str) -> None:
    """Leave it as it is."""


def by_another(bucket: Bucket, digest: str) -> None:
    sign(bucket, digest, "third")


def damaged(bucket: Bucket, digest: str) -> None:
    sign(bucket, digest)
    key = packages.PREFIX + package.SIGNATURE
    document = json.loads(bucket.objects[key])
    document["dsseEnvelope"]["signatures"][0]["sig"] = "AAAA"
    bucket.objects[key] = json.dumps(document).encode()


def endless(bucket: Bucket, _: str) -> None:
    bucket.objects[packages.PREFIX + package.SIGNATURE] = b"{" * 100_000


@pytest.mark.parametrize(
    ("spoil", "says"),
    [
        (unsigned, "not signed"),
        (by_another, "none of those that are believed"),
        (damaged, "altered"),
        (endless, "model.sig"),
    ],
)
def test_what_is_not_signed_by_them_is_refused_before_anything_is_read(
    bucket: Bucket,
    files: dict[str, bytes],
    tmp_path: Path,
    spoil: Callable[[Bucket, str], None],
    says: str,
) -> None:
    digest = packages.publish(bucket, files)
    spoil(bucket, digest)
    with serve(bucket, digest, tmp_path, **believing("ours", "other")) as server:
        assert server.end() == Exit.DATA_ERROR
        told = server.refusal
        assert told["reason"] == "SignatureInvalid"
        assert says in told["message"]
    assert not [seen for seen in bucket.seen if "model.skops" in seen]


@pytest.mark.parametrize(
    ("value", "says"),
    [
        ("[]", "list of texts"),
        ("{", "list of texts"),
        ('"x"', "list of texts"),
        ('["x"]', "verification.publicKeys"),
    ],
)
def test_keys_that_are_none(
    bucket: Bucket, files: dict[str, bytes], tmp_path: Path, value: str, says: str
) -> None:
    digest = packages.publish(bucket, files)
    with serve(bucket, digest, tmp_path, **{KEYS: value}) as server:
        assert server.end() == Exit.USER_ERROR
        assert says in server.refusal["message"]
