"""A run signs what it leaves, and tells so; a key that cannot sign is told before data is read."""

import json
from pathlib import Path
from typing import Any

import pytest
from tests.unit.runner.workshop import Workshop, classification, rows
from tests.unit.store import keys

from tidemill.store import package, signing
from tidemill_runner.exits import Exit
from tidemill_runner.failures import Failure

CALLED = "spec.signing.keyRef: the key private.pem of the Secret signers"


@pytest.fixture
def secret(tmp_path: Path) -> Path:
    folder = tmp_path / "secret"
    folder.mkdir()
    (folder / "key").write_bytes(keys.private_pem())
    return folder


def told(secret: Path) -> dict[str, Any]:
    return {"signing": {"folder": str(secret), "called": CALLED}}


def signed_run(workshop: Workshop, secret: Path) -> dict[str, Any]:
    workshop.deliver(data_csv=rows())
    return workshop.train(workshop.ingest(), classification(), **told(secret))


def prefix_of(result: dict[str, Any]) -> str:
    return str(result["artifact"]["uri"].removeprefix("s3://tidemill/"))


def test_the_package_is_signed_and_the_result_says_by_whom(
    workshop: Workshop, secret: Path
) -> None:
    result = signed_run(workshop, secret)
    artifact, prefix = result["artifact"], prefix_of(result)
    objects = workshop.store.objects
    manifest = package.parse_manifest(objects[f"{prefix}manifest.json"], artifact["digest"])
    public = [signing.public_key(keys.public_pem())]
    assert signing.verify(objects[f"{prefix}model.sig"], manifest, public) == keys.key_id()
    assert artifact["signed"] == {"keyId": keys.key_id()}
    names = [key.removeprefix(prefix) for key in objects if key.startswith(prefix)]
    package.check_names(manifest, names)
    # Whoever sees the manifest sees a package that is whole, its signature included.
    written = [key for key in workshop.store.written if key.startswith(prefix)]
    assert written[-1] == f"{prefix}manifest.json"


def test_the_digest_is_that_of_a_run_that_signs_nothing(workshop: Workshop, secret: Path) -> None:
    result = signed_run(workshop, secret)
    plain = workshop.train(workshop.ingest(), classification())
    assert plain["artifact"]["digest"] == result["artifact"]["digest"]
    assert "signed" not in plain["artifact"]


def test_a_run_with_another_key_signs_the_same_package_anew(
    workshop: Workshop, secret: Path
) -> None:
    first = signed_run(workshop, secret)
    (secret / "key").write_bytes(keys.private_pem("other", b"secret"))
    (secret / "password").write_bytes(b"secret\n")
    again = workshop.train(workshop.ingest(), classification(), **told(secret))
    assert again["artifact"]["digest"] == first["artifact"]["digest"]
    assert again["artifact"]["signed"] == {"keyId": keys.key_id("other")}
    envelope = json.loads(workshop.store.objects[f"{prefix_of(again)}model.sig"])
    hint = envelope["verificationMaterial"]["publicKey"]["hint"]
    assert f"sha256:{hint}" == keys.key_id("other")


@pytest.mark.parametrize(
    ("files", "says"),
    [
        ({}, "cannot be read"),
        ({"key": b"hello"}, "no private key in PEM"),
        ({"key": keys.public_pem().encode()}, "no private key in PEM"),
        ({"key": keys.private_pem(password=b"p")}, "no password is given"),
        ({"key": keys.private_pem(password=b"p"), "password": b"q"}, "its password is another"),
    ],
    ids=["none", "a text", "a public key", "no password", "a wrong password"],
)
def test_a_key_that_cannot_sign_ends_the_run_before_data_is_read(
    workshop: Workshop, tmp_path: Path, files: dict[str, bytes], says: str
) -> None:
    for name, data in files.items():
        (tmp_path / name).write_bytes(data)
    workshop.deliver(data_csv=rows())
    ingested = workshop.ingest()
    workshop.store.before_download = lambda key: pytest.fail(f"{key} was read")
    with pytest.raises(Failure) as caught:
        workshop.train(ingested, classification(), **told(tmp_path))
    assert (caught.value.reason, caught.value.exit_code) == ("SecretInvalid", Exit.USER)
    assert caught.value.message.startswith(CALLED)
    assert says in caught.value.message
    assert "PRIVATE KEY" not in caught.value.message
