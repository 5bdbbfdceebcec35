"""What the metadata calls the format that answers."""

from pathlib import Path

import pytest
from tests.unit.server import packages

from tidemill.store import onnx_file, package
from tidemill_server.formats.choice import platform_of
from tidemill_server.package.signature import parse_signature
from tidemill_server.settings import Runtime


@pytest.mark.parametrize(
    ("trees", "onnx", "runtime", "expected"),
    [
        (None, False, "Auto", "scikit-learn_skops"),
        ("model.ubj", False, "Auto", "xgboost"),
        ("model.txt", False, "Auto", "lightgbm"),
        ("model.ubj", True, "Auto", "onnxruntime_onnx"),
        (None, True, "Onnx", "onnxruntime_onnx"),
        (None, True, "Native", "scikit-learn_skops"),
        ("model.txt", True, "Native", "lightgbm"),
    ],
)
def test_it_is_that_of_what_answers(
    trees: str | None, onnx: bool, runtime: Runtime, expected: str, tmp_path: Path
) -> None:
    for name in (package.MODEL, *([onnx_file.FILE] if onnx else [])):
        (tmp_path / name).touch()
    told = {**packages.signature(packages.labels("INT64")), "trees": trees}
    assert platform_of(tmp_path, parse_signature(told), runtime) == expected
