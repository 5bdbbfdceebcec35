"""Packages that lie, climb, explode or crash: the server refuses each, says why, and ends with 20.

Whoever can write into the bucket can write any of these; the digest of the manifest is what the
deployment asked for, so where a package must pass the digest it is given its own.
"""

import io
import json
import pickle
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import skops.io
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer
from tests.unit.server import packages
from tests.unit.server.bucket import Bucket
from tests.unit.server.packages import PREFIX, Model, edit_member, publish
from tests.unit.server.servers import serve

from tidemill_server.exits import Exit

Refusal = Callable[[str], dict[str, str]]


@pytest.fixture(scope="module")
def tree() -> Model:
    return packages.tree()


@pytest.fixture
def refusal(bucket: Bucket, tmp_path: Path) -> Refusal:
    """Start a server for the digest, wait for its end; what it left for the operator."""

    def refuse(digest: str, **env: str) -> dict[str, str]:
        with serve(bucket, digest, tmp_path, **env) as server:
            assert server.end() == Exit.DATA_ERROR
            assert set(server.refusal) == {"reason", "message"}
            return server.refusal

    return refuse


def test_a_changed_byte(bucket: Bucket, tree: Model, refusal: Refusal) -> None:
    digest = publish(bucket, tree.files())
    model = bytearray(bucket.objects[PREFIX + "model.skops"])
    model[len(model) // 2] ^= 1
    bucket.objects[PREFIX + "model.skops"] = bytes(model)
    found = refusal(digest)
    assert found["reason"] == "DigestMismatch"
    assert "model.skops" in found["message"]


def test_a_changed_byte_in_the_manifest(bucket: Bucket, tree: Model, refusal: Refusal) -> None:
    digest = publish(bucket, tree.files())
    bucket.objects[PREFIX + "manifest.json"] += b"\n"
    assert refusal(digest)["reason"] == "DigestMismatch"


def test_a_file_too_large(bucket: Bucket, tree: Model, refusal: Refusal) -> None:
    digest = publish(bucket, tree.files())
    bucket.objects[PREFIX + "model.skops"] += b"\0" * 10_000_000
    assert refusal(digest)["reason"] == "DigestMismatch"


def test_a_file_too_many(bucket: Bucket, tree: Model, refusal: Refusal) -> None:
    digest = publish(bucket, tree.files())
    bucket.objects[PREFIX + "holdout.parquet"] = b"PAR1"
    found = refusal(digest)
    assert found["reason"] == "UnexpectedFile"
    assert "holdout.parquet" in found["message"]


def test_a_file_that_no_package_has(bucket: Bucket, tree: Model, refusal: Refusal) -> None:
    digest = publish(bucket, {**tree.files(), "sitecustomize.py": b"raise SystemExit"})
    assert refusal(digest)["reason"] == "UnexpectedFile"


@pytest.mark.parametrize("name", ["model.skops", "signature.json", "manifest.json"])
def test_a_missing_file(bucket: Bucket, tree: Model, refusal: Refusal, name: str) -> None:
    digest = publish(bucket, tree.files())
    del bucket.objects[PREFIX + name]
    found = refusal(digest)
    assert found["reason"] == "MissingFile"
    assert name in found["message"]


def test_a_missing_file_that_the_manifest_does_not_name(
    bucket: Bucket, tree: Model, refusal: Refusal
) -> None:
    files = tree.files()
    del files["environment.json"]
    assert refusal(publish(bucket, files))["reason"] == "MissingFile"


def test_a_pickle_under_another_name(
    bucket: Bucket, tree: Model, refusal: Refusal, tmp_path: Path
) -> None:
    witness = tmp_path / "executed"
    digest = publish(bucket, {**tree.files(), "model.skops": pickle.dumps(_Attack(str(witness)))})
    assert refusal(digest)["reason"] == "PickleRefused"
    assert not witness.exists()


def test_a_pickle_with_a_zip_behind_it(
    bucket: Bucket, tree: Model, refusal: Refusal, tmp_path: Path
) -> None:
    files = tree.files()
    attack = pickle.dumps(_Attack(str(tmp_path / "executed")))
    digest = publish(bucket, {**files, "model.skops": attack + files["model.skops"]})
    assert refusal(digest)["reason"] == "PickleRefused"


@pytest.mark.parametrize("path", ["../model.skops", "/etc/passwd", "a/../../b", "..\\model.skops"])
def test_a_path_that_climbs(bucket: Bucket, tree: Model, refusal: Refusal, path: str) -> None:
    files = tree.files()
    digest = publish(bucket, {**files, path: b"climb"})
    assert refusal(digest)["reason"] == "UnsafePath"


def test_a_zip_bomb(bucket: Bucket, tree: Model, refusal: Refusal) -> None:
    digest = publish(bucket, {**tree.files(), "model.skops": _bomb(1 << 30)})
    found = refusal(digest)
    assert found["reason"] == "MalformedPackage"
    assert "unpack" in found["message"]


def test_a_zip_bomb_below_the_ratio_meets_the_memory_limit(
    bucket: Bucket, tree: Model, refusal: Refusal, tmp_path: Path
) -> None:
    """1 GiB in a 10 MB array is within the rules for honest models; the child has 256 MiB."""
    model = edit_member(tree.files()["model.skops"], ".npy", _grow(1 << 30), tmp_path)
    stored = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(model)) as old, zipfile.ZipFile(stored, "w") as new:
        for item in old.infolist():
            new.writestr(item.filename, old.read(item), zipfile.ZIP_DEFLATED, 1)
    digest = publish(bucket, {**tree.files(), "model.skops": stored.getvalue()})
    found = refusal(digest, TIDEMILL_LOAD_MEMORY_BYTES=str(256 << 20))
    assert found["reason"] == "ModelUnloadable"
    assert "memory" in found["message"]


def test_an_array_that_claims_a_terabyte(
    bucket: Bucket, tree: Model, refusal: Refusal, tmp_path: Path
) -> None:
    def lie(_: bytes) -> bytes:
        header = b"{'descr': '<f8', 'fortran_order': False, 'shape': (137438953472,), }"
        return b"\x93NUMPY\x01\x00" + (len(header) + 1).to_bytes(2, "little") + header + b"\n"

    model = edit_member(tree.files()["model.skops"], ".npy", lie, tmp_path)
    found = refusal(publish(bucket, {**tree.files(), "model.skops": model}))
    assert found["reason"] == "ModelUnloadable"


def test_a_type_that_is_not_allowed(bucket: Bucket, tree: Model, refusal: Refusal) -> None:
    transformer = FunctionTransformer(_system)
    hostile = skops.io.dumps(make_pipeline(transformer, tree.estimator))
    found = refusal(publish(bucket, {**tree.files(), "model.skops": hostile}))
    assert found["reason"] == "ModelUnloadable"
    assert "_system" in found["message"]


def test_a_tree_whose_child_index_is_2_to_the_40(
    bucket: Bucket, tree: Model, refusal: Refusal, tmp_path: Path
) -> None:
    model = edit_member(tree.files()["model.skops"], ".npy", _far_child, tmp_path)
    found = refusal(publish(bucket, {**tree.files(), "model.skops": model}))
    assert found["reason"] == "ModelUnloadable"


@pytest.mark.parametrize("share", [0.2, 0.5, 0.95])
def test_a_truncated_model(bucket: Bucket, tree: Model, refusal: Refusal, share: float) -> None:
    files = tree.files()
    cut = files["model.skops"][: int(len(files["model.skops"]) * share)]
    assert refusal(publish(bucket, {**files, "model.skops": cut}))["reason"] == "MalformedPackage"


def test_a_schema_too_deep(bucket: Bucket, tree: Model, refusal: Refusal) -> None:
    deep = io.BytesIO()
    with zipfile.ZipFile(deep, "w") as archive:
        archive.writestr("schema.json", '{"a":' * 30_000 + "1" + "}" * 30_000)
    found = refusal(publish(bucket, {**tree.files(), "model.skops": deep.getvalue()}))
    assert found["reason"] == "ModelUnloadable"


@pytest.mark.parametrize(
    ("version", "reason"), [("1.4.2", "ModelUnloadable"), ("x", "MalformedPackage")]
)
def test_another_release_of_scikit_learn(
    bucket: Bucket, tree: Model, refusal: Refusal, version: str, reason: str
) -> None:
    files = {**tree.files(), "environment.json": json.dumps(packages.environment(version)).encode()}
    found = refusal(publish(bucket, files))
    assert found["reason"] == reason
    assert "scikit-learn" in found["message"]


def test_a_signature_of_another_width(bucket: Bucket, tree: Model, refusal: Refusal) -> None:
    told = {**tree.signature, "inputs": tree.signature["inputs"][:3]}
    files = {**tree.files(), "signature.json": json.dumps(told).encode()}
    found = refusal(publish(bucket, files))
    assert found["reason"] == "ModelUnloadable"
    assert "4 features" in found["message"]


def test_a_signature_of_other_outputs(bucket: Bucket, tree: Model, refusal: Refusal) -> None:
    told = {**tree.signature, "outputs": packages.labels("BYTES")}
    files = {**tree.files(), "signature.json": json.dumps(told).encode()}
    assert "int64" in refusal(publish(bucket, files))["message"]


@pytest.mark.parametrize("text", [b"{", b"[]", b'{"format": "other"}', b"\xff"])
def test_a_signature_that_is_none(
    bucket: Bucket, tree: Model, refusal: Refusal, text: bytes
) -> None:
    found = refusal(publish(bucket, {**tree.files(), "signature.json": text}))
    assert found["reason"] == "MalformedPackage"


class _Attack:
    """Unpickling it creates a file."""

    def __init__(self, path: str) -> None:
        self.path = path

    def __reduce__(self) -> tuple[object, tuple[str, str]]:
        return open, (self.path, "w")


def _system(values: object) -> object:
    return values


def _far_child(data: bytes) -> bytes:
    nodes = np.load(io.BytesIO(data))
    if nodes.dtype.names is None or "left_child" not in nodes.dtype.names:
        return data
    nodes["left_child"][0] = 1 << 40
    return _save(nodes)


def _grow(size: int) -> Callable[[bytes], bytes]:
    random = np.random.default_rng(0)
    block = random.integers(0, 2, size=1 << 20, dtype=np.uint8)
    return lambda _: _save(np.resize(block, size // 8).astype(np.float64))


def _save(array: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, array)
    return buffer.getvalue()


def _bomb(size: int) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("schema.json", "{}")
        with archive.open("1.npy", "w", force_zip64=True) as member:
            for _ in range(size >> 24):
                member.write(b"\0" * (1 << 24))
    return packed.getvalue()
