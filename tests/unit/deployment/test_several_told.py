"""What the pods of several models were told: noted at their Deployment, kept, and told again."""

import json

import pytest
from tests.unit.children.world import NAMESPACE, World, condition_types, once, summary
from tests.unit.deployment.scene import KIND, digest, package, put_run
from tests.unit.deployment.several import (
    NAME,
    Body,
    Servers,
    model,
    of_run,
    once_quiet,
    rolled,
    states,
    the_list,
    up,
)

from tidemill.deployment.keys import CREDENTIALS_SECONDS
from tidemill.deployment.observed import LIST_ANNOTATION
from tidemill.kube.resources import DEPLOYMENTS, SECRETS
from tidemill.store.errors import Unavailable


def note(world: World, *models: Body) -> None:
    """Have somebody edit what is noted at the Deployment."""
    notes = world.api.one(DEPLOYMENTS)["metadata"]["annotations"]
    notes[LIST_ANNOTATION] = json.dumps({"models": list(models)})


def noted(world: World) -> list[Body]:
    """Give what is noted there."""
    found: list[Body] = json.loads(
        world.api.one(DEPLOYMENTS)["metadata"]["annotations"][LIST_ANNOTATION]
    )["models"]
    return found


async def test_a_secret_that_somebody_edited_or_removed_is_made_again(
    world: World, servers: Servers
) -> None:
    await up(servers, model("a", "a"))
    secret = world.api.one(SECRETS)
    secret["data"]["models.json"] = "eyJtb2RlbHMiOiBbXX0="
    await once_quiet(servers)
    assert the_list(world) == [model("a", "a")]
    world.api.remove(world.api.one(SECRETS))
    await once_quiet(servers)
    assert the_list(world) == [model("a", "a")]


async def test_what_is_told_is_noted(world: World, servers: Servers) -> None:
    body = await up(servers, model("a", "a"))
    assert noted(world) == the_list(world) == [model("a", "a")]
    world.edit(body, models=[model("a", "b"), of_run("c")])
    await rolled(servers)
    assert noted(world) == the_list(world) == [model("a", "b")]
    note(world, model("z", "z"))
    await rolled(servers)
    assert noted(world) == [model("a", "b")], "an edit by hand is undone"


async def test_what_pods_are_told_is_noted_while_others_come_up(
    world: World, servers: Servers
) -> None:
    """Both are told another list; what those that serve were told is kept, whoever it is of."""
    body = await up(servers, model("a", "a"))
    template = {"resources": {"limits": {"memory": "512Mi"}}}
    world.edit(body, template=template, models=[model("a", "b")])
    await once_quiet(servers)
    notes = [one["metadata"]["annotations"] for one in world.api.all(DEPLOYMENTS)]
    assert len(notes) == 2
    for one in notes:
        assert json.loads(one[LIST_ANNOTATION]) == {"models": [model("a", "b")]}
    world.edit(body, models=[of_run("a", "pending")])
    await rolled(servers)
    assert servers.answers() == {"a": digest("b")}


@pytest.mark.parametrize("hindrance", ["a Secret of spec.access", "keys of the store"])
async def test_a_package_that_no_pod_was_told_is_none_before(
    world: World, servers: Servers, hindrance: str
) -> None:
    """The spec named it while nothing could be told, and names another by the time it can."""
    if hindrance == "keys of the store":
        body = await up(servers, model("b", "b"))
        world.wait(CREDENTIALS_SECONDS / 2)
        world.sts = Unavailable("down")
        world.edit(body, models=[model("a", "a"), model("b", "b")])
    else:
        access = {"tokensRef": {"name": "tokens"}}
        body = await up(servers, model("a", "a"), model("b", "b"), access=access)
    for _ in range(3):
        await once(servers.process()(), KIND, NAME)
    world.edit(body, models=[of_run("a", "pending"), model("b", "b")])
    for _ in range(3):
        await once(servers.process()(), KIND, NAME)
    world.sts = None
    metadata = {"name": "tokens", "namespace": NAMESPACE}
    secret = {"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "data": {"x": "eA=="}}
    world.api.put(secret)
    await rolled(servers)
    assert servers.answers() == {"b": digest("b")}
    assert states(world)["a"] == ("0/2", "WaitingForRun")


async def test_a_list_is_told_while_the_store_grants_no_keys(
    world: World, servers: Servers
) -> None:
    body = await up(servers, model("a", "a"), model("b", "b"))
    before = world.api.one(SECRETS)
    world.wait(1000)
    world.sts = Unavailable("down")
    world.edit(body, models=[model("b", "b")])
    await rolled(servers)
    assert servers.answers() == {"b": digest("b")}
    assert summary(body)["reason"] == "Ready"
    after = world.api.one(SECRETS)
    assert after["data"]["access-key"] == before["data"]["access-key"]
    result = await once(servers.process()(), KIND, NAME)
    assert result is not None
    assert result.requeue_after == CREDENTIALS_SECONDS / 2 - 1000, "its keys end when they did"


async def test_a_secret_that_is_lost_is_made_again_for_what_serves(
    world: World, servers: Servers
) -> None:
    """Also where the spec has gone on to one model, of which no package is known yet."""
    body = await up(servers, model("a", "a"))
    del body["spec"]["models"]
    world.edit(body, model={"run": "pending"})
    await once_quiet(servers)
    world.api.remove(world.api.one(SECRETS))
    await once_quiet(servers)
    assert the_list(world) == [model("a", "a")]
    put_run(world, "pending", artifact=package("b"))
    await rolled(servers)
    assert summary(body)["reason"] == "Ready"


async def test_suspended_a_secret_that_is_lost_is_as_it_was(world: World, servers: Servers) -> None:
    body = await up(servers, model("a", "a"))
    world.edit(body, suspend=True, models=[model("a", "c")])
    await rolled(servers)
    world.api.remove(world.api.one(SECRETS))
    await rolled(servers)
    assert servers.answers() == {"a": digest("a")}
    del world.api.one(DEPLOYMENTS)["metadata"]["annotations"][LIST_ANNOTATION]
    await rolled(servers)
    assert the_list(world) == [model("a", "a")], "of what is not known nothing is made up"


@pytest.mark.parametrize(
    "edited",
    [
        model("b", "f", "other"),
        {**model("b", "f"), "uri": f"s3://tidemill/models/{NAMESPACE}/{'x' * 3000}/"},
    ],
    ids=["of another namespace", "too long an address"],
)
async def test_what_was_not_told_but_edited_is_not_kept(
    world: World, servers: Servers, edited: Body
) -> None:
    body = await up(servers, model("a", "a"), model("b", "b"))
    note(world, edited)
    world.edit(body, models=[model("a", "a"), of_run("b")])
    await once_quiet(servers)
    assert the_list(world) == [model("a", "a")]
    assert summary(body)["reason"] == "WaitingForRun"


async def test_too_long_a_list_is_told_to_nobody(world: World, servers: Servers) -> None:
    body = await up(servers, model("a", "a"))
    prefix = f"s3://tidemill/models/{NAMESPACE}/"
    long = prefix + "\x01" * (2047 - len(prefix)) + "/"
    more = [{**model(f"m{number}", "b"), "uri": long} for number in range(31)]
    writes = len(world.api.writes)
    world.edit(body, models=[model("a", "c"), *more])
    await rolled(servers)
    assert (summary(body)["status"], summary(body)["reason"]) == ("False", "SpecInvalid")
    assert condition_types(body) == {"Ready", "Stalled"}
    assert summary(body)["message"].startswith("spec.models: the list takes ")
    assert summary(body)["message"].endswith("; the pods before keep serving")
    assert servers.answers() == {"a": digest("a")}
    kinds = {write.split()[1] for write in world.api.writes[writes:]}
    assert kinds == {"ModelDeployment"}, "nothing of it is removed"
