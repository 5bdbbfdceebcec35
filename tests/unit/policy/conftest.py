"""The small world that reconcilers are tested in."""

from tests.unit.children.fixtures import new_world, world

__all__ = ["new_world", "world"]
