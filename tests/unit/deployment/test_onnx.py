"""Pods of a package with ONNX are told so, and are told to leave it where the spec says Native."""

from typing import Any

import pytest
from tests.unit.children.world import World, until_quiet
from tests.unit.deployment.scene import KIND, package, process, put_run
from tests.unit.deployment.test_boosted import NAME, put_package

from tidemill.api.v1alpha1.model_deployment import ModelDeploymentSpec
from tidemill.deployment.manifests import revision_of
from tidemill.deployment.observed import Target
from tidemill.kube.resources import DEPLOYMENTS


async def told(world: World, spec: dict[str, Any]) -> str | None:
    """What its pods are told of it."""
    world.put(KIND, NAME, spec)
    await until_quiet(world, process(world)(), KIND, NAME)
    [body] = world.api.all(DEPLOYMENTS)
    env = body["spec"]["template"]["spec"]["containers"][0]["env"]
    found = {one["name"]: one["value"] for one in env}
    return found.get("TIDEMILL_RUNTIME")


@pytest.mark.parametrize(
    ("more", "spec", "wanted"),
    [
        (["model.onnx"], {}, "Onnx"),
        (["model.onnx"], {"runtime": "Auto"}, "Onnx"),
        (["model.onnx"], {"runtime": "Native"}, "Native"),
        ([], {}, None),
        ([], {"runtime": "Native"}, "Native"),
    ],
    ids=["has-it", "auto", "native", "has-none", "native-without"],
)
async def test_a_package_by_its_files(
    world: World, more: list[str], spec: dict[str, Any], wanted: str | None
) -> None:
    found = await told(world, {"model": put_package(world, *more), **spec})
    assert found == wanted


@pytest.mark.parametrize(("onnx", "wanted"), [(True, "Onnx"), (None, None)])
async def test_a_run_by_its_record(world: World, onnx: bool | None, wanted: str | None) -> None:
    put_run(world, artifact={**package("a"), **({"onnx": onnx} if onnx else {})})
    found = await told(world, {"model": {"run": "run"}})
    assert found == wanted


def test_another_runtime_is_another_revision() -> None:
    target = Target(**package("a"), onnx=True)
    auto, written, native = (
        revision_of(target, "server", ModelDeploymentSpec.model_validate({"model": model, **more}))
        for model, more in (
            (package("a"), {}),
            (package("a"), {"runtime": "Auto"}),
            (package("a"), {"runtime": "Native"}),
        )
    )
    assert auto == written != native
