"""A package is exactly what its digest stands for; anything else has its reason."""

import io
import json
import pickle
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import scipy.sparse
from tests.unit.store import onnx_graphs

from tidemill.api.v1alpha1.reasons import Reason
from tidemill.store import archive, digests, package
from tidemill.store.errors import PackageError, PackageReason


def skops_file(**extra: bytes) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as file:
        file.writestr("schema.json", "{}")
        for name, data in extra.items():
            file.writestr(name.replace("_", "."), data)
    return buffer.getvalue()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A package as it should be."""
    where = tmp_path / "package"
    where.mkdir()
    (where / "model.skops").write_bytes(skops_file(a_npy=b"1"))
    (where / "signature.json").write_text("{}")
    (where / "environment.json").write_text("{}")
    return where


def seal(folder: Path) -> package.PackageManifest:
    data, digest = package.build_manifest(folder)
    (folder / package.MANIFEST).write_bytes(data)
    return package.parse_manifest(data, digest)


def only_onnx(folder: Path) -> None:
    (folder / "model.skops").unlink()
    (folder / "model.onnx").write_bytes(onnx_graphs.line([1.0]).SerializeToString())


def test_onnx_alone_is_a_package(folder: Path) -> None:
    assert not seal(folder).onnx_alone
    only_onnx(folder)
    manifest = seal(folder)
    package.verify_dir(folder, manifest)
    assert manifest.onnx_alone


def test_onnx_stands_beside_skops(folder: Path) -> None:
    (folder / "model.onnx").write_bytes(onnx_graphs.line([1.0]).SerializeToString())
    manifest = seal(folder)
    package.verify_dir(folder, manifest)
    assert not manifest.onnx_alone


def test_a_hostile_graph_is_no_package(folder: Path) -> None:
    (folder / "model.onnx").write_bytes(onnx_graphs.bomb())
    with pytest.raises(PackageError, match="makes a tensor"):
        package.verify_dir(folder, seal(folder))


def test_a_package_without_a_model_is_refused(folder: Path) -> None:
    (folder / "model.skops").unlink()
    with pytest.raises(PackageError, match=r"model\.skops") as caught:
        package.build_manifest(folder)
    assert caught.value.reason is PackageReason.MISSING_FILE


def test_trees_need_the_steps_before_them(folder: Path) -> None:
    only_onnx(folder)
    (folder / "model.ubj").write_bytes(b"trees")
    with pytest.raises(PackageError, match=r"'model\.ubj' without 'model\.skops'"):
        package.build_manifest(folder)


def test_a_package_proves_itself(folder: Path) -> None:
    manifest = seal(folder)
    package.verify_dir(folder, manifest)
    document = json.loads((folder / package.MANIFEST).read_bytes())
    assert document["format"] == "tidemill.dev/package/v1"
    assert [file["path"] for file in document["files"]] == sorted(
        ["environment.json", "model.skops", "signature.json"]
    )
    assert manifest.total_bytes == sum(f.stat().st_size for f in folder.iterdir()) - len(
        (folder / package.MANIFEST).read_bytes()
    )


def change_a_byte(folder: Path) -> None:
    (folder / "signature.json").write_text("[]")


def add_a_file(folder: Path) -> None:
    (folder / "extra.txt").write_text("x")


def add_a_folder(folder: Path) -> None:
    (folder / "sub").mkdir()
    (folder / "sub" / "model.skops").write_text("x")


def remove_a_file(folder: Path) -> None:
    (folder / "environment.json").unlink()


def link_a_file(folder: Path) -> None:
    (folder / "environment.json").unlink()
    (folder / "environment.json").symlink_to("/etc/hostname")


@pytest.mark.parametrize(
    ("spoil", "reason", "name"),
    [
        (change_a_byte, PackageReason.DIGEST_MISMATCH, "signature.json"),
        (add_a_file, PackageReason.UNEXPECTED_FILE, "extra.txt"),
        (add_a_folder, PackageReason.UNEXPECTED_FILE, "sub"),
        (remove_a_file, PackageReason.MISSING_FILE, "environment.json"),
        (link_a_file, PackageReason.UNSAFE_PATH, "environment.json"),
    ],
)
def test_a_changed_folder_is_refused(
    folder: Path, spoil: Callable[[Path], None], reason: PackageReason, name: str
) -> None:
    manifest = seal(folder)
    spoil(folder)
    with pytest.raises(PackageError) as caught:
        package.verify_dir(folder, manifest)
    assert caught.value.reason is reason
    assert name in caught.value.message


def entry(path: Any, **changes: Any) -> dict[str, Any]:
    return {"path": path, "sha256": digests.sha256_digest(b""), "size": 0, **changes}


REQUIRED = [entry("environment.json"), entry("model.skops"), entry("signature.json")]


def parse(*files: dict[str, Any], **changes: Any) -> package.PackageManifest:
    document = {"files": list(files), "format": package.FORMAT, **changes}
    data = digests.canonical_json(document)
    return package.parse_manifest(data, digests.sha256_digest(data))


@pytest.mark.parametrize(
    ("path", "reason"),
    [
        ("../model.skops", PackageReason.UNSAFE_PATH),
        ("a/../../model.skops", PackageReason.UNSAFE_PATH),
        ("/etc/passwd", PackageReason.UNSAFE_PATH),
        ("..\\model.skops", PackageReason.UNSAFE_PATH),
        ("C:model.skops", PackageReason.UNSAFE_PATH),
        ("./card.md", PackageReason.UNSAFE_PATH),
        ("~/card.md", PackageReason.UNSAFE_PATH),
        ("card.md\x00", PackageReason.UNSAFE_PATH),
        ("", PackageReason.UNSAFE_PATH),
        ("model.pkl", PackageReason.PICKLE_REFUSED),
        ("model.JOBLIB", PackageReason.PICKLE_REFUSED),
        ("model.pickle", PackageReason.PICKLE_REFUSED),
        ("script.py", PackageReason.UNEXPECTED_FILE),
        ("sub/card.md", PackageReason.UNEXPECTED_FILE),
        ("manifest.json", PackageReason.UNEXPECTED_FILE),
        (5, PackageReason.MALFORMED_PACKAGE),
    ],
)
def test_a_path_is_refused(path: Any, reason: PackageReason) -> None:
    with pytest.raises(PackageError) as caught:
        parse(*REQUIRED, entry(path))
    assert caught.value.reason is reason


@pytest.mark.parametrize(
    ("files", "changes", "reason"),
    [
        pytest.param(REQUIRED[1:], {}, PackageReason.MISSING_FILE, id="required-file-missing"),
        pytest.param(
            [*REQUIRED, REQUIRED[0]], {}, PackageReason.MALFORMED_PACKAGE, id="a-file-twice"
        ),
        pytest.param(
            [*REQUIRED, entry("card.md", size=-1)], {}, PackageReason.MALFORMED_PACKAGE, id="size"
        ),
        pytest.param(
            [*REQUIRED, entry("card.md", size=True)], {}, PackageReason.MALFORMED_PACKAGE, id="bool"
        ),
        pytest.param(
            [*REQUIRED, entry("card.md", size=2**40)],
            {},
            PackageReason.MALFORMED_PACKAGE,
            id="too-large",
        ),
        pytest.param(
            [*REQUIRED, entry("card.md", sha256="x")], {}, PackageReason.MALFORMED_PACKAGE, id="sha"
        ),
        pytest.param(REQUIRED, {"format": "v2"}, PackageReason.MALFORMED_PACKAGE, id="format"),
        pytest.param(REQUIRED, {"files": None}, PackageReason.MALFORMED_PACKAGE, id="no-files"),
    ],
)
def test_a_manifest_is_refused(
    files: list[Any], changes: dict[str, Any], reason: PackageReason
) -> None:
    with pytest.raises(PackageError) as caught:
        parse(*files, **changes)
    assert caught.value.reason is reason


@pytest.mark.parametrize("data", [b"", b"[", b"[" * 100_000, b"\xff"])
def test_what_is_no_json_is_refused(data: bytes) -> None:
    with pytest.raises(PackageError) as caught:
        package.parse_manifest(data, digests.sha256_digest(data))
    assert caught.value.reason is PackageReason.MALFORMED_PACKAGE


def test_another_digest_is_refused(folder: Path) -> None:
    data, _ = package.build_manifest(folder)
    with pytest.raises(PackageError) as caught:
        package.parse_manifest(data, digests.sha256_digest(b"another"))
    assert caught.value.reason is PackageReason.DIGEST_MISMATCH


POLYGLOT = pickle.dumps({"x": 1}) + skops_file()


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        pytest.param(pickle.dumps([1]), PackageReason.PICKLE_REFUSED, id="pickle"),
        pytest.param(POLYGLOT, PackageReason.PICKLE_REFUSED, id="pickle-and-zip"),
        pytest.param(skops_file(a_pkl=b"x"), PackageReason.PICKLE_REFUSED, id="pickle-inside"),
        pytest.param(b"#!" + skops_file(), PackageReason.MALFORMED_PACKAGE, id="something-before"),
        pytest.param(b"", PackageReason.MALFORMED_PACKAGE, id="empty"),
        pytest.param(skops_file()[:-8], PackageReason.MALFORMED_PACKAGE, id="truncated"),
    ],
)
def test_a_model_file_is_refused(folder: Path, content: bytes, reason: PackageReason) -> None:
    (folder / "model.skops").write_bytes(content)
    with pytest.raises(PackageError) as caught:
        package.verify_dir(folder, seal(folder))
    assert caught.value.reason is reason


def test_a_pickle_under_another_name_is_refused(folder: Path) -> None:
    (folder / "card.md").write_bytes(pickle.dumps([1]))
    with pytest.raises(PackageError) as caught:
        package.verify_dir(folder, seal(folder))
    assert caught.value.reason is PackageReason.PICKLE_REFUSED


def bomb(size: int) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("schema.json", "{}")
        with file.open("a.npy", "w") as member:
            for _ in range(size // 1_000_000):
                member.write(bytes(1_000_000))
    return buffer.getvalue()


def test_a_zip_bomb_is_refused_before_it_is_unpacked(tmp_path: Path) -> None:
    (tmp_path / "model.skops").write_bytes(bomb(300_000_000))
    with pytest.raises(PackageError, match="would unpack to 300000002 bytes") as caught:
        archive.check(tmp_path / "model.skops")
    assert caught.value.reason is PackageReason.MALFORMED_PACKAGE


def test_a_bomb_in_a_sparse_matrix_is_refused_before_it_is_unpacked(tmp_path: Path) -> None:
    inner = bomb(300_000_000)
    (tmp_path / "model.skops").write_bytes(skops_file(matrix_npz=inner))
    with pytest.raises(PackageError, match=r"matrix\.npz would unpack to 300000002 bytes"):
        archive.check(tmp_path / "model.skops")


def test_a_sparse_matrix_that_is_no_zip_is_refused(tmp_path: Path) -> None:
    (tmp_path / "model.skops").write_bytes(skops_file(matrix_npz=b"no zip"))
    with pytest.raises(PackageError, match="broken zip"):
        archive.check(tmp_path / "model.skops")


def test_a_sparse_matrix_is_let_in(tmp_path: Path) -> None:
    inner = io.BytesIO()
    scipy.sparse.save_npz(inner, scipy.sparse.csr_matrix(np.eye(3)))
    (tmp_path / "model.skops").write_bytes(skops_file(matrix_npz=inner.getvalue()))
    archive.check(tmp_path / "model.skops")


def test_a_zip_without_a_schema_is_refused(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "model.skops", "w") as file:
        file.writestr("a.npy", "x")
    with pytest.raises(PackageError, match=r"schema\.json"):
        archive.check(tmp_path / "model.skops")


@pytest.mark.parametrize("reason", PackageReason)
def test_every_reason_is_documented(reason: PackageReason) -> None:
    assert Reason(reason.value).meaning
