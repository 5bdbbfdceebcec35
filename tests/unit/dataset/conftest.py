"""The small world that Datasets are tested in."""

import pytest
from tests.unit.children.fixtures import new_world, world
from tests.unit.children.world import FakeStore

from tidemill.dataset import observe

__all__ = ["new_world", "source", "world"]


@pytest.fixture
def source(monkeypatch: pytest.MonkeyPatch) -> FakeStore:
    """Give the bucket that Datasets read, with one delivery in it."""
    bucket = FakeStore()
    bucket.objects["d/a.csv"] = b"a\n1\n"
    monkeypatch.setattr(observe, "ObjectStore", lambda _: bucket)
    return bucket
