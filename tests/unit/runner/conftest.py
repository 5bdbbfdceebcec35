"""Fixtures of the runner's tests."""

from pathlib import Path

import onnxruntime  # noqa: F401 - imported once, and not anew in each child that converts a model
import pytest
import skl2onnx  # noqa: F401
from tests.unit.runner.workshop import Workshop


@pytest.fixture
def workshop(tmp_path: Path) -> Workshop:
    return Workshop(tmp_path)
