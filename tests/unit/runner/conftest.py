"""Fixtures of the runner's tests."""

from pathlib import Path

import pytest
from tests.unit.runner.workshop import Workshop


@pytest.fixture
def workshop(tmp_path: Path) -> Workshop:
    return Workshop(tmp_path)
