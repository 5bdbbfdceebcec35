"""Files of trees that are broken end the child that loads them first, and no server."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.unit.server import boosted
from tests.unit.server.bucket import Bucket
from tests.unit.server.packages import Model, publish
from tests.unit.server.servers import serve

from tidemill.store import digests
from tidemill_server.exits import Exit

MAKERS: dict[str, Callable[[], Model]] = {
    "model.ubj": boosted.of_xgboost,
    "model.txt": boosted.of_lightgbm,
}


def refusal(bucket: Bucket, files: dict[str, bytes], folder: Path) -> dict[str, str]:
    with serve(bucket, publish(bucket, files), folder) as server:
        assert server.end() == Exit.DATA_ERROR
        return server.refusal


@pytest.mark.parametrize("name", MAKERS)
@pytest.mark.parametrize("kept", [0.2, 0.9])
def test_a_file_cut_short(bucket: Bucket, tmp_path: Path, name: str, kept: float) -> None:
    files = MAKERS[name]().files()
    files[name] = files[name][: int(len(files[name]) * kept)]
    found = refusal(bucket, files, tmp_path)
    assert found["reason"] == "ModelUnloadable"
    assert name in found["message"] or "ended the process" in found["message"]


def test_a_file_that_is_none_of_them(bucket: Bucket, tmp_path: Path) -> None:
    files = MAKERS["model.ubj"]().files()
    told = {**json.loads(files["signature.json"]), "trees": "model.pkl"}
    files["signature.json"] = digests.canonical_json(told)
    found = refusal(bucket, files, tmp_path)
    assert found["reason"] == "MalformedPackage"
    assert "model.pkl" in found["message"]


def test_a_file_that_is_not_there(bucket: Bucket, tmp_path: Path) -> None:
    files = MAKERS["model.ubj"]().files()
    del files["model.ubj"]
    assert refusal(bucket, files, tmp_path)["reason"] == "ModelUnloadable"


def test_trees_of_more_classes_than_named(bucket: Bucket, tmp_path: Path) -> None:
    files = MAKERS["model.ubj"]().files()
    told = {**json.loads(files["signature.json"]), "classes": [0]}
    files["signature.json"] = digests.canonical_json(told)
    assert refusal(bucket, files, tmp_path)["reason"] == "ModelUnloadable"
