"""Models of XGBoost and LightGBM are served by the image that has these libraries."""

import json
from typing import Any, cast

import pytest
from tests.unit.children.world import NAMESPACE, World, once, summary, until_quiet
from tests.unit.deployment.scene import (
    KIND,
    answering,
    come_up,
    digest,
    package,
    process,
    put_run,
)

from tidemill.deployment.packages import Packages
from tidemill.kube.resources import DEPLOYMENTS
from tidemill.store import digests
from tidemill.store.errors import Unavailable
from tidemill.store.objects import ObjectStore

NAME = "m"
BOOSTING = ("runner-with", "server-with")


def put_package(world: World, *more: str) -> dict[str, str]:
    """Have the manifest of a package in the store; what spec.model says of it."""
    names = sorted(("environment.json", "model.skops", "signature.json", *more))
    files = [{"path": name, "sha256": digest("f"), "size": 1} for name in names]
    data = digests.canonical_json({"files": files, "format": "tidemill.dev/package/v1"})
    prefix = f"models/{NAMESPACE}/r/{digests.hex_of(digests.sha256_digest(data))}/"
    world.store.objects[f"{prefix}manifest.json"] = data
    return {"uri": f"s3://tidemill/{prefix}", "digest": digests.sha256_digest(data)}


async def image(world: World, model: dict[str, Any]) -> str:
    world.put(KIND, NAME, {"model": model})
    await until_quiet(world, process(world)(), KIND, NAME)
    [body] = world.api.all(DEPLOYMENTS)
    found: str = body["spec"]["template"]["spec"]["containers"][0]["image"]
    return found


@pytest.mark.parametrize(
    ("more", "boosting", "wanted"),
    [
        (["model.ubj"], BOOSTING, "server-with"),
        (["model.txt"], BOOSTING, "server-with"),
        ([], BOOSTING, None),
        (["model.ubj"], (), None),
    ],
    ids=["xgboost", "lightgbm", "neither", "not installed"],
)
async def test_a_package_by_its_files(
    world: World, more: list[str], boosting: tuple[str, ...], wanted: str | None
) -> None:
    world.boosting = boosting
    assert await image(world, put_package(world, *more)) == (wanted or world.server)


@pytest.mark.parametrize(("trees", "wanted"), [("lightgbm", "server-with"), (None, None)])
async def test_a_run_by_its_record(world: World, trees: str | None, wanted: str | None) -> None:
    world.boosting = BOOSTING
    put_run(world, artifact={**package("a"), **({"trees": trees} if trees else {})})
    assert await image(world, {"run": "run"}) == (wanted or world.server)


async def test_a_package_that_is_not_there_is_for_the_server_to_tell(world: World) -> None:
    world.boosting = BOOSTING
    assert await image(world, package("a")) == world.server


async def test_a_package_that_is_another_is_for_the_server_to_tell(world: World) -> None:
    world.boosting = BOOSTING
    model = put_package(world, "model.ubj")
    key = f"{model['uri'].removeprefix('s3://tidemill/')}manifest.json"
    world.store.objects[key] = json.dumps({"files": []}).encode()
    assert await image(world, model) == world.server


async def test_a_store_that_is_away_is_waited_for(world: World) -> None:
    world.boosting = BOOSTING
    model = put_package(world, "model.ubj")
    world.store.fault = Unavailable("away")
    body = world.put(KIND, NAME, {"model": model})
    reconcile = process(world)()
    await until_quiet(world, reconcile, KIND, NAME)
    assert summary(body)["reason"] == "StoreUnavailable"
    assert not world.api.all(DEPLOYMENTS)
    done = await once(reconcile, KIND, NAME)
    assert done is not None
    assert done.requeue_after is not None
    world.store.fault = None
    await until_quiet(world, reconcile, KIND, NAME)
    [found] = world.api.all(DEPLOYMENTS)
    assert found["spec"]["template"]["spec"]["containers"][0]["image"] == "server-with"


async def test_what_serves_goes_on_while_the_store_is_away(world: World) -> None:
    world.boosting = BOOSTING
    await image(world, put_package(world, "model.ubj"))
    [body] = world.api.all(DEPLOYMENTS)
    come_up(body)
    await until_quiet(world, process(world)(), KIND, NAME)
    world.store.fault = Unavailable("away")
    await until_quiet(world, process(world)(), KIND, NAME)
    assert world.api.all(DEPLOYMENTS) == [body]
    assert answering(world) == 1


async def test_a_package_is_looked_at_once(world: World) -> None:
    world.boosting = BOOSTING
    model = put_package(world, "model.ubj")
    packages = Packages(cast("ObjectStore", world.store))
    assert (await packages.contents(model["uri"], model["digest"])).boosted
    world.store.fault = Unavailable("away")
    assert (await packages.contents(model["uri"], model["digest"])).boosted
