"""The optional admission policies: each refuses what it is for, in its own words, and no more."""

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.apiserver import shelf_rules
from tests.apiserver.crd_objects import KINDS, minimal
from tests.apiserver.kubectl import Body, Kubectl, RefusedError
from tests.apiserver.waiting import eventually

SAMPLE = Path(__file__).parents[2] / "manifests/samples/policy/admission.yaml"
DIGEST = "@sha256:" + "0" * 64
OURS, OTHERS = f"registry.example.org/ml/a{DIGEST}", f"registry.example.org/mlx/a{DIGEST}"


def labelled(kind: str, changes: dict[str, Any] | None = None) -> Body:
    body = minimal(kind, changes=changes)
    body["metadata"]["labels"] = {"team": "power"}
    return body


def sidecar(image: str) -> Body:
    template = {"sidecars": [{"name": "beside", "image": image}]}
    return labelled("TrainingRun", {"template": template})


def prepared(image: str) -> Body:
    return labelled("Dataset", {"prepare": {"container": {"image": image}}})


def code(kind: str, image: str) -> Body:
    places = {"script": {"configMap": {"name": "code"}, "image": image}}
    estimator = places if kind == "script" else {"container": {"image": image}}
    body = labelled("TrainingRun")
    body["spec"]["estimator"] = estimator
    return body


def served(image: str) -> Body:
    return labelled("ModelDeployment", {"model": {"container": {"image": image}}})


def refused(kubectl: Kubectl, body: Body) -> str:
    try:
        kubectl.try_apply(body)
    except RefusedError as error:
        return str(error)
    return ""


@pytest.fixture(scope="module", autouse=True)
def _admitted(kubectl: Kubectl) -> Iterator[None]:
    """The policies are in force, each of them; an API server takes a moment to."""
    kubectl("apply", "-f", str(SAMPLE))
    judged = (minimal("TrainingRun"), sidecar(OTHERS), prepared(OTHERS), served(OTHERS))

    async def in_force() -> bool:
        return all(refused(kubectl, body) for body in judged)

    try:
        asyncio.run(eventually(in_force))
        yield
    finally:
        kubectl("delete", "-f", str(SAMPLE))


@pytest.mark.parametrize("kind", KINDS)
def test_a_label_is_required(kubectl: Kubectl, kind: str) -> None:
    assert "the label team is required" in refused(kubectl, minimal(kind))
    kubectl.try_apply(labelled(kind))


@pytest.mark.parametrize(
    ("allowed", "forbidden", "words"),
    [
        pytest.param(sidecar(OURS), sidecar(OTHERS), "spec.template.sidecars: ", id="sidecar"),
        pytest.param(
            prepared(OURS), prepared(OTHERS), "spec.prepare.container.image: ", id="prepare"
        ),
        pytest.param(
            *(code("script", OURS), code("script", OTHERS)),
            "spec.estimator.script.image: ",
            id="script",
        ),
        pytest.param(
            *(code("container", OURS), code("container", OTHERS)),
            "spec.estimator.container.image: ",
            id="container",
        ),
        pytest.param(served(OURS), served(OTHERS), "spec.model.container.image: ", id="served"),
    ],
)
def test_an_image_is_of_the_registry(
    kubectl: Kubectl, allowed: Body, forbidden: Body, words: str
) -> None:
    kubectl.try_apply(allowed)
    found = refused(kubectl, forbidden)
    assert words in found
    assert "registry.example.org/ml/" in found


def test_several_models_name_no_image(kubectl: Kubectl) -> None:
    kubectl.try_apply(labelled("ModelDeployment", shelf_rules.listed(shelf_rules.RUN)))
