"""A web server or a volume for each test that wants one."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.unit.runner.sources.volume_scene import FOLDER, Claim
from tests.unit.web.site import Site


@pytest.fixture
def site() -> Iterator[Site]:
    with Site() as made:
        yield made


@pytest.fixture
def claim(tmp_path: Path) -> Claim:
    (tmp_path / "volume" / FOLDER).mkdir(parents=True)
    return Claim(tmp_path / "volume")
