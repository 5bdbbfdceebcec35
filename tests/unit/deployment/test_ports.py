"""The ports of the Service are those of the version behind it."""

from tests.unit.children.world import World
from tests.unit.deployment.test_reconcile import rolled, run, up

from tidemill.kube.resources import SERVICES


async def test_the_port_of_grpc_comes_and_goes_with_the_version_that_serves(world: World) -> None:
    def ports() -> list[str]:
        return [port["name"] for port in world.api.one(SERVICES)["spec"]["ports"]]

    body = await up(world)
    world.edit(body, grpc="Enabled")
    await run(world)
    assert ports() == ["http"]  # nobody answers there yet
    await rolled(world)
    assert ports() == ["http", "grpc"]
    world.edit(body, grpc="Disabled")
    await run(world)
    assert ports() == ["http", "grpc"]  # the version that serves has it until it goes
    await rolled(world)
    assert ports() == ["http"]
