"""What a run's pod is given of the namespace's: never what is Tidemill's own."""

from typing import Any

import pytest
from tests.unit.children.world import NAMESPACE, World, summary, until_quiet
from tests.unit.training.scene import SPEC, process, put_dataset

from tidemill.kube.resources import JOBS, SECRETS

KIND, NAME = "TrainingRun", "r"
DIGEST = "i@sha256:" + "0" * 64


def variables(name: str) -> list[dict[str, Any]]:
    own = {"name": "B", "valueFrom": {"secretKeyRef": {"name": name, "key": "k"}}}
    return [{"name": "A", "value": "1"}, own]


def templates(name: str) -> dict[str, dict[str, Any]]:
    """Give a Secret in each of the ways there are, by the field that the message names."""
    return {
        "env[1].valueFrom.secretKeyRef.name": {"env": variables(name)},
        "volumes[0].secret.secretName": {
            "volumes": [{"name": "v", "secret": {"secretName": name}}]
        },
        "sidecars[0].env[1].valueFrom.secretKeyRef.name": {
            "sidecars": [{"name": "s", "image": DIGEST, "env": variables(name)}]
        },
    }


def put_secret(world: World, name: str, labels: dict[str, str] | None = None) -> dict[str, Any]:
    return world.api.put(
        {
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": {"name": name, "namespace": NAMESPACE, "labels": labels or {}},
            "data": {},
        }
    )


async def run(world: World, template: dict[str, Any], name: str = NAME) -> dict[str, Any]:
    put_dataset(world)
    body = world.put(KIND, name, {**SPEC, "template": template})
    await until_quiet(world, process(world)(), KIND, name)
    return body


def refused(world: World, body: dict[str, Any], field: str, name: str) -> None:
    assert summary(body)["reason"] == "SpecInvalid"
    assert summary(body)["message"] == (
        f"spec.template.{field}: the Secret {name} is Tidemill's own: name one of yours"
    )
    assert [j for j in world.api.all(JOBS) if _owner(j) == body["metadata"]["name"]] == []


def _owner(job: dict[str, Any]) -> str:
    return str(job["metadata"]["ownerReferences"][0]["name"])


@pytest.mark.parametrize("field", templates(""))
async def test_the_secret_of_another_run_is_refused(world: World, field: str) -> None:
    put_dataset(world)
    world.put(KIND, "other", SPEC)
    await until_quiet(world, process(world)(), KIND, "other")
    [secret] = world.api.all(SECRETS)
    name = secret["metadata"]["name"]
    refused(world, await run(world, templates(name)[field]), field, name)


@pytest.mark.parametrize("field", templates(""))
async def test_the_keys_of_the_namespace_are_refused(world: World, field: str) -> None:
    put_secret(world, "tidemill-store")
    refused(world, await run(world, templates("tidemill-store")[field]), field, "tidemill-store")


async def test_its_own_secret_is_refused_before_it_is_there(world: World) -> None:
    first = await run(world, {})
    name = world.job()["metadata"]["name"]
    world.api.remove(world.job())
    world.api.remove(world.api.one(SECRETS))
    first["spec"]["template"] = templates(name)["volumes[0].secret.secretName"]
    first.pop("status")
    await until_quiet(world, process(world)(), KIND, NAME)
    refused(world, first, "volumes[0].secret.secretName", name)


@pytest.mark.parametrize("field", templates(""))
async def test_one_that_is_missing_is_told_and_waited_for(world: World, field: str) -> None:
    body = await run(world, templates("mine")[field])
    assert summary(body)["reason"] == "SecretMissing"
    assert summary(body)["message"] == (
        f"spec.template.{field}: there is no Secret mine in this namespace: create it"
    )
    assert world.api.all(JOBS) == []
    put_secret(world, "mine", {"app.kubernetes.io/managed-by": "Helm"})
    await until_quiet(world, process(world)(), KIND, NAME)
    assert len(world.api.all(JOBS)) == 1
