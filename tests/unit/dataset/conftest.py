"""The small world that Datasets are tested in."""

from collections.abc import Iterator
from typing import Any

import pytest
from tests.unit.children.fixtures import new_world, world
from tests.unit.children.world import FakeStore, World
from tests.unit.web.site import Site

from tidemill.children import credentials
from tidemill.dataset import observe

__all__ = ["granted", "new_world", "site", "source", "world"]


@pytest.fixture
def source(monkeypatch: pytest.MonkeyPatch) -> FakeStore:
    """Give the bucket that Datasets read, with one delivery in it."""
    bucket = FakeStore()
    bucket.objects["d/a.csv"] = b"a\n1\n"
    monkeypatch.setattr(observe, "ObjectStore", lambda _: bucket)
    return bucket


@pytest.fixture
def site() -> Iterator[Site]:
    """Give a web server without a page."""
    with Site() as made:
        yield made


@pytest.fixture
def granted(world: World, monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """Give the policies that keys are made by from now on."""
    policies: list[Any] = []

    def grant(config: Any, policy: Any, seconds: int) -> Any:
        policies.append(policy)
        return world.assume_role(config, policy, seconds)

    monkeypatch.setattr(credentials, "assume_role", grant)
    return policies
