"""A web server for each test that wants one."""

from collections.abc import Iterator

import pytest
from tests.unit.web.site import Site


@pytest.fixture
def site() -> Iterator[Site]:
    with Site() as made:
        yield made
