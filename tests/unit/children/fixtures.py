"""The fixtures of the reconcilers' tests; each folder's conftest takes them from here."""

from collections.abc import Callable

import pytest
from tests.unit.children.world import World

from tidemill.children import credentials


@pytest.fixture
def new_world(monkeypatch: pytest.MonkeyPatch) -> Callable[[], World]:
    """Give what makes a world; the newest one answers for STS."""

    def make() -> World:
        made = World()
        monkeypatch.setattr(credentials, "assume_role", made.assume_role)
        return made

    return make


@pytest.fixture
def world(new_world: Callable[[], World]) -> World:
    """Give one world."""
    return new_world()
