"""Entries of a list that are wrong, or not there yet: told, left out, and no harm to the others."""

import pytest
from tests.unit.children.world import NAMESPACE, World, condition_types, once, summary
from tests.unit.deployment.scene import KIND, digest, package, put_run, served
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

from tidemill.engine.key import Key
from tidemill.kube.resources import SECRETS

# A wrong entry and its run; the reason, how it is told, and what.
WRONG: dict[str, tuple[Body, Body | None, str, str, str]] = {
    "no such run": (of_run("x"), None, "WaitingForRun", "Reconciling", "create it"),
    "a run on its way": (of_run("x"), {}, "WaitingForRun", "Reconciling", "has not ended"),
    "a failed run": (
        of_run("x"),
        {"completedAt": "x", "failure": {"message": "it raised"}},
        *("RunFailed", "Stalled", "model x: spec.models[1].run: TrainingRun run failed: it raised"),
    ),
    "a run's package elsewhere": (
        of_run("x"),
        {"artifact": package("f", "other")},
        *("SpecInvalid", "Stalled", "name a package of this namespace"),
    ),
    "a run's package at too long an address": (
        of_run("x"),
        {"artifact": {**package("f"), "uri": f"s3://tidemill/models/{NAMESPACE}/{'x' * 2048}/"}},
        *("SpecInvalid", "Stalled", "or is too long: name a package of this namespace"),
    ),
    "a run's digest that is none": (
        of_run("x"),
        {"artifact": {**package("f"), "digest": "sha256:x"}},
        *("SpecInvalid", "Stalled", "name a package of this namespace"),
    ),
    "a package elsewhere": (
        model("x", "f", "other"),
        None,
        *("SpecInvalid", "Stalled", "model x: spec.models[1]: s3://tidemill/models/other/"),
    ),
    "a package of another bucket": (
        {**model("x", "f"), "uri": f"s3://another/models/{NAMESPACE}/x/"},
        *(None, "SpecInvalid", "Stalled", "s3://tidemill/models/ns/"),
    ),
    "an address that climbs": (
        {**model("x", "f"), "uri": f"s3://tidemill/models/{NAMESPACE}/../other/"},
        *(None, "SpecInvalid", "Stalled", "s3://tidemill/models/ns/"),
    ),
}


@pytest.mark.parametrize("case", WRONG)
async def test_an_entry_that_is_wrong_is_left_out_and_told(
    world: World, servers: Servers, case: str
) -> None:
    wrong, run, reason, kind, tells = WRONG[case]
    if run is not None:
        put_run(world, **run)
    body = await up(servers, model("a", "a"), wrong, model("b", "b"))
    assert the_list(world) == [model("a", "a"), model("b", "b")]
    assert summary(body)["reason"] == reason
    assert condition_types(body) == {"Ready", kind}
    assert tells in summary(body)["message"]
    assert summary(body)["message"].endswith("; the others answer")
    assert states(world)["x"] == ("0/2", reason)
    assert served(world)["modelsReady"] == "2/3"


async def test_a_model_that_waits_for_its_next_run_goes_on_answering(
    world: World, servers: Servers
) -> None:
    body = await up(servers, model("a", "a"), model("b", "b"))
    world.edit(body, models=[of_run("a", "next"), model("b", "b")])
    await rolled(servers)
    assert summary(body)["reason"] == "WaitingForRun"
    assert "version aaaaaaaaaaaa keeps answering; the others answer" in summary(body)["message"]
    assert servers.answers() == {"a": digest("a"), "b": digest("b")}
    assert states(world)["a"] == ("2/2", "WaitingForRun")
    world.api.remove(world.api.one(SECRETS))  # as it is while it is made anew
    await rolled(servers)
    assert servers.answers() == {"a": digest("a"), "b": digest("b")}
    put_run(world, "next", artifact=package("c"))
    await rolled(servers)
    assert summary(body)["reason"] == "Ready"
    assert servers.answers() == {"a": digest("c"), "b": digest("b")}


async def test_a_run_that_ends_wakes_who_waits_for_it(world: World, servers: Servers) -> None:
    world.put(KIND, NAME, {"models": [of_run("a", "one"), of_run("b", "two")]})
    reconciler = servers.process()()
    await once(reconciler, KIND, NAME)
    waiters = reconciler.__self__.context.waiters  # type: ignore[attr-defined]
    for run in ("one", "two"):
        assert waiters.take(Key("TrainingRun", NAMESPACE, run)) == {Key(KIND, NAMESPACE, NAME)}


async def test_without_any_package_no_pod_is_started(world: World, servers: Servers) -> None:
    body = await up(servers, of_run("a"), of_run("b", "other"))
    assert world.api.created == []
    assert (summary(body)["reason"], world.granted) == ("WaitingForRun", 0)
    assert states(world) == {"a": ("0/0", "WaitingForRun"), "b": ("0/0", "WaitingForRun")}
    put_run(world, artifact=package("a"))
    await rolled(servers)
    assert servers.answers() == {"a": digest("a")}
    assert summary(body)["message"].startswith("model b: spec.models[1].run: there is no")


async def test_a_list_of_which_nothing_is_known_changes_nothing(
    world: World, servers: Servers
) -> None:
    body = await up(servers, model("a", "a"))
    world.edit(body, models=[of_run("b")])
    await rolled(servers)
    assert servers.answers() == {"a": digest("a")}
    assert summary(body)["reason"] == "WaitingForRun"
    assert summary(body)["message"].endswith("; the pods before keep serving")


async def test_neither_a_model_nor_a_list_is_the_specs_fault(
    world: World, servers: Servers
) -> None:
    body = world.put(KIND, NAME, {})
    await once_quiet(servers)
    assert (summary(body)["reason"], world.api.created) == ("SpecInvalid", [])
