"""The small world that reconcilers are tested in."""

import pytest
from tests.unit.children.fixtures import new_world, world
from tests.unit.children.world import World
from tests.unit.deployment.several import Servers

__all__ = ["new_world", "servers", "world"]


@pytest.fixture
def servers(world: World) -> Servers:
    """Give servers of several models in that world."""
    return Servers(world)
