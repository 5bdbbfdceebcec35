"""A ModelDeployment of several models and its world: lists that change, entries that are wrong."""

import copy
from typing import Any

import pytest
from tests.unit.children.world import (
    NAMESPACE,
    World,
    condition_types,
    once,
    summary,
)
from tests.unit.deployment.scene import KIND, digest, package, put_run, served
from tests.unit.deployment.several import (
    NAME,
    Body,
    Servers,
    listed,
    model,
    of_run,
    once_quiet,
    rolled,
    states,
    the_list,
    up,
)
from tests.unit.policy.scene import put_policy
from tests.unit.store.keys import public_pem

from tidemill.deployment.keys import CREDENTIALS_SECONDS
from tidemill.kube.resources import DEPLOYMENTS, SECRETS


async def test_two_models_are_served_by_one_deployment(world: World, servers: Servers) -> None:
    put_run(world, artifact=package("b"))
    body = await up(servers, model("a", "a"), of_run("b"))
    assert (summary(body)["status"], summary(body)["reason"]) == ("True", "Ready")
    assert summary(body)["message"] == "2 model(s) answer in 2 pod(s)"
    assert the_list(world) == [model("a", "a"), model("b", "b")]
    assert servers.answers() == {"a": digest("a"), "b": digest("b")}
    status = served(world)
    assert (status["modelsReady"], status["replicas"]) == ("2/2", "2/2")
    assert status["models"][1] == {
        "name": "b",
        "version": "b" * 12,
        **package("b"),
        "ready": "2/2",
        "reason": "Ready",
    }
    assert {"version", "uri", "digest"}.isdisjoint(status["stable"])
    assert status["stable"]["ready"] == 2
    assert status["url"] == f"http://{NAME}.{NAMESPACE}.svc"


async def test_the_secret_has_keys_for_the_namespaces_packages(
    world: World, servers: Servers, monkeypatch: pytest.MonkeyPatch
) -> None:
    policies = []

    def granted(config: Any, policy: Any, seconds: int) -> Any:
        policies.append(policy)
        return world.assume_role(config, policy, seconds)

    monkeypatch.setattr("tidemill.children.credentials.assume_role", granted)
    await up(servers, model("a", "a"))
    [policy] = policies
    assert (policy.read, policy.write) == ((f"models/{NAMESPACE}/",), ())
    assert len(policy.to_json()) < 2000


async def test_at_rest_nothing_is_written(world: World, servers: Servers) -> None:
    await up(servers, model("a", "a"))
    world.wait(100)
    before = len(world.api.writes)
    result = await once(servers.process()(), KIND, NAME)
    assert len(world.api.writes) == before
    assert result is not None
    assert result.requeue_after == CREDENTIALS_SECONDS / 2 - 100


async def test_a_change_of_the_list_makes_no_new_pods(world: World, servers: Servers) -> None:
    body = await up(servers, model("a", "a"), model("b", "b"))
    before = copy.deepcopy(world.api.one(DEPLOYMENTS))
    granted = world.granted
    limits = {"limits": {"memory": "1Gi"}}
    for models in (
        [model("a", "a")],
        [model("a", "c"), model("z", "e", **limits)],
        [model("z", "e")],
    ):
        world.edit(body, models=models)
        await rolled(servers)
        assert summary(body)["reason"] == "Ready"
        assert [one["name"] for one in the_list(world)] == [one["name"] for one in models]
        assert servers.answers() == {one["name"]: one["digest"] for one in models}
        assert world.api.one(DEPLOYMENTS)["spec"] == before["spec"]
    assert world.granted == granted, "another list needs no other keys"


async def test_a_change_is_told_until_the_pods_have_it(world: World, servers: Servers) -> None:
    body = await up(servers, model("a", "a"), model("b", "b"))
    world.edit(body, models=[model("a", "c"), model("b", "b")])
    await once_quiet(servers)
    assert (summary(body)["status"], summary(body)["reason"]) == ("True", "ModelsLoading")
    assert condition_types(body) == {"Ready", "Reconciling"}
    assert summary(body)["message"] == "model a: 0 of 2 pod(s) have it; the others answer"
    assert states(world) == {"a": ("0/2", "Loading"), "b": ("2/2", "Ready")}
    assert served(world)["modelsReady"] == "1/2"
    result = await once(servers.process()(), KIND, NAME)
    assert result is not None
    assert result.requeue_after == 5


@pytest.mark.parametrize(
    "change",
    [{"limits": {"rows": 5}}, {"verification": {"publicKeys": [public_pem()]}}],
    ids=["limits", "keys"],
)
async def test_a_change_that_no_digest_tells_is_on_its_way_until_the_pods_have_it(
    world: World, servers: Servers, change: Body
) -> None:
    body = await up(servers, model("a", "a"))
    world.edit(body, models=[model("a", "a", **change)])
    await once_quiet(servers)
    assert (summary(body)["status"], summary(body)["reason"]) == ("True", "ModelsLoading")
    assert condition_types(body) == {"Ready", "Reconciling"}
    assert summary(body)["message"].endswith("2 pod(s) do not follow the list as it is now")
    result = await once(servers.process()(), KIND, NAME)
    assert result is not None
    assert result.requeue_after == 5
    servers.bad[digest("a")] = "SignatureInvalid"
    await rolled(servers)
    assert (summary(body)["status"], summary(body)["reason"]) == ("False", "SignatureInvalid")
    assert states(world) == {"a": ("2/2", "SignatureInvalid")}


async def test_pods_that_tell_nothing_are_asked_now_and_then(
    world: World, servers: Servers
) -> None:
    body = await up(servers, model("a", "a"), model("b", "b"))
    servers.silent = set(servers.models)
    await once_quiet(servers)
    assert (summary(body)["status"], summary(body)["reason"]) == ("Unknown", "ModelsLoading")
    result = await once(servers.process()(), KIND, NAME)
    assert result is not None
    assert result.requeue_after == 30
    servers.silent.pop()
    await once_quiet(servers)
    writes = len(world.api.writes)
    servers.silent = set(servers.models) - servers.silent
    await once_quiet(servers)
    assert len(world.api.writes) == writes, "which of them it is makes no difference"


async def test_a_model_that_is_refused_touches_no_other(world: World, servers: Servers) -> None:
    servers.bad[digest("c")] = "DigestMismatch"
    body = await up(servers, model("a", "a"), model("b", "b"))
    world.edit(body, models=[model("a", "c"), model("b", "d")])
    await rolled(servers)
    assert (summary(body)["status"], summary(body)["reason"]) == ("False", "DigestMismatch")
    assert condition_types(body) == {"Ready", "Stalled"}
    message = summary(body)["message"]
    assert message.startswith("model a: it is bad: mend the package")
    assert message.endswith("version aaaaaaaaaaaa keeps answering; the others answer")
    assert servers.answers() == {"a": digest("a"), "b": digest("d")}
    assert states(world) == {"a": ("0/2", "DigestMismatch"), "b": ("2/2", "Ready")}
    result = await once(servers.process()(), KIND, NAME)
    assert result is not None
    assert result.requeue_after == 30


async def test_where_no_model_loads_the_reason_is_told_before_any_pod_is_ready(
    servers: Servers,
) -> None:
    servers.bad = {digest("a"): "PickleRefused", digest("b"): "MissingFile"}
    body = await up(servers, model("a", "a"), model("b", "b"))
    assert summary(body)["reason"] == "PickleRefused"
    assert "Stalled" in condition_types(body)
    assert "model a: it is bad" in summary(body)["message"]
    assert "model b: it is bad" in summary(body)["message"]
    servers.bad = {}
    await rolled(servers)
    assert summary(body)["reason"] == "Ready"


async def test_other_pods_take_over_when_they_have_what_answers(
    world: World, servers: Servers
) -> None:
    body = await up(servers, model("a", "a"), model("b", "b"))
    servers.bad[digest("b")] = "ModelUnloadable"  # in what is started from now on
    world.edit(body, template={"resources": {"limits": {"memory": "512Mi"}}})
    await once_quiet(servers)
    [first, second] = world.api.all(DEPLOYMENTS)
    assert listed(world, second) == listed(world, first)
    await rolled(servers)
    assert len(world.api.all(DEPLOYMENTS)) == 2
    assert (summary(body)["reason"], served(world)["stable"]["deployment"]) == (
        "ModelUnloadable",
        first["metadata"]["name"],
    )
    assert "model b: it is bad" in summary(body)["message"]
    assert summary(body)["message"].endswith("; the pods before keep serving")
    servers.bad.clear()
    await rolled(servers)
    assert world.api.one(DEPLOYMENTS)["metadata"]["name"] == second["metadata"]["name"]
    assert summary(body)["reason"] == "Ready"


@pytest.mark.parametrize("tls", [True, False])
async def test_pods_are_asked_where_health_is_told(
    world: World, servers: Servers, tls: bool
) -> None:
    spec: Body = {}
    if tls:
        data = {"tls.crt": "eA==", "tls.key": "eA=="}
        metadata = {"name": "cert", "namespace": NAMESPACE}
        world.api.put({"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "data": data})
        spec["tls"] = {"secretRef": {"name": "cert"}}
    body = await up(servers, model("a", "a"), **spec)
    assert summary(body)["reason"] == "Ready"
    assert {port for _, port in servers.asked} == {8082 if tls else 8080}


@pytest.mark.parametrize("direction", ["one to several", "several to one"])
async def test_from_one_model_to_several_and_back(
    world: World, servers: Servers, direction: str
) -> None:
    if direction == "one to several":
        body = world.put(KIND, NAME, {"model": package("a"), "replicas": 2})
        await rolled(servers)
        del body["spec"]["model"]
        world.edit(body, models=[model("a", "a")])
        await once_quiet(servers)
        assert served(world)["stable"]["version"] == "a" * 12
    else:
        body = await up(servers, model("a", "a"))
        before = the_list(world)
        del body["spec"]["models"]
        world.edit(body, model=package("b"))
        await once_quiet(servers)
        first, _ = world.api.all(DEPLOYMENTS)
        assert listed(world, first) == before, "what serves is told what it was told"
        assert "models" not in served(world)
        assert "modelsReady" not in served(world)
        world.wait(CREDENTIALS_SECONDS / 2)
        await once_quiet(servers)
        assert listed(world, first) == before, "also with new keys"
    await rolled(servers)
    assert summary(body)["reason"] == "Ready"
    assert len(world.api.all(DEPLOYMENTS)) == len(world.api.all(SECRETS)) == 1


async def test_suspended_it_leaves_list_and_status_as_they_are(
    world: World, servers: Servers
) -> None:
    body = await up(servers, model("a", "a"))
    before = served(world)["models"]
    world.edit(body, suspend=True, models=[model("a", "b"), model("c", "c")], replicas=9)
    await rolled(servers)
    assert summary(body)["reason"] == "Suspended"
    assert the_list(world) == [model("a", "a")]
    assert served(world)["models"] == before
    world.wait(CREDENTIALS_SECONDS / 2)
    granted = world.granted
    await once_quiet(servers)
    assert (world.granted, the_list(world)) == (granted + 1, [model("a", "a")])
    world.edit(body, suspend=False, replicas=2)
    await rolled(servers)
    assert servers.answers() == {"a": digest("b"), "c": digest("c")}


async def test_a_policy_holds_new_pods_and_no_list(world: World, servers: Servers) -> None:
    body = await up(servers, model("a", "a"))
    put_policy(world, "rules: {maxResources: {total: {memory: 2Gi}}}")
    world.edit(body, models=[model("a", "b")])
    await rolled(servers)
    assert summary(body)["reason"] == "Ready"
    world.edit(body, models=[model("a", "c")], replicas=3)
    await rolled(servers)
    assert summary(body)["reason"] == "PolicyViolated"
    assert world.api.one(DEPLOYMENTS)["spec"]["replicas"] == 2
    assert servers.answers() == {"a": digest("c")}, "a list asks the policy for nothing"


async def test_nothing_is_asked_for_one_model(world: World, servers: Servers) -> None:
    world.put(KIND, NAME, {"model": package("a"), "replicas": 2})
    await rolled(servers)
    assert servers.asked == []
