"""The cache key changes with everything that changes a built program, and with nothing else."""

import re
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
from tests.cluster.localcluster import pins
from tests.cluster.localcluster.pins import COMPONENTS, Component, digest, digest_of_all


@pytest.fixture
def component(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Component:
    shutil.copytree(pins.MODULES / "runc", tmp_path / "runc")
    monkeypatch.setattr(pins, "MODULES", tmp_path)
    return next(one for one in COMPONENTS if one.name == "runc")


def test_digest_is_the_same_in_every_clone(
    component: Component, monkeypatch: pytest.MonkeyPatch
) -> None:
    in_the_copy = digest(component)
    monkeypatch.undo()
    assert digest(component) == in_the_copy


@pytest.mark.parametrize("file", ["go.mod", "go.sum"])
def test_digest_follows_the_pins(component: Component, file: str) -> None:
    earlier = digest(component)
    with (component.folder / file).open("a") as pinned:
        pinned.write("\n")
    assert digest(component) != earlier


@pytest.mark.parametrize(
    "change", [{"tags": "other"}, {"ldflags": "-s"}, {"cgo": False}], ids=["tags", "link", "cgo"]
)
def test_digest_follows_the_flags(component: Component, change: dict[str, object]) -> None:
    assert digest(replace(component, **change)) != digest(component)  # type: ignore[arg-type]


def test_digest_follows_the_architecture(component: Component) -> None:
    assert digest(component, "x86_64") != digest(component, "aarch64")


def test_digest_of_all_follows_the_architecture() -> None:
    assert digest_of_all("x86_64") != digest_of_all("aarch64")


def test_estimate_is_no_pin(component: Component) -> None:
    assert digest(replace(component, about=1)) == digest(component)


@pytest.mark.parametrize("component", COMPONENTS, ids=lambda component: component.name)
def test_every_program_is_a_tool_of_its_module(component: Component) -> None:
    text = (pins.MODULES / component.name / "go.mod").read_text()
    block = re.search(r"^tool (?:\((.*?)\)|(\S+))", text, re.DOTALL | re.MULTILINE)
    assert block is not None
    tools = (block[1] or block[2]).split()
    names = {re.sub(r"/v\d+$", "", tool).rsplit("/", 1)[1] for tool in tools}
    if component.renamed is not None:
        names = names - {component.renamed[0]} | {component.renamed[1]}
    assert names == set(component.programs)


def test_kubernetes_is_replaced_by_one_version() -> None:
    text = (pins.MODULES / "kubernetes" / "go.mod").read_text()
    replaced = re.findall(r"^\s+(\S+) => (\S+) (\S+)$", text, re.MULTILINE)
    assert len(replaced) == 33
    assert all(old == new for old, new, _ in replaced)
    assert {version for _, _, version in replaced} == {pins.KUBERNETES.replace("v1", "v0", 1)}


@pytest.mark.parametrize(
    ("programs", "names"),
    [
        (["minio"], ["minio"]),
        (["kubectl", "kubelet", "ctr"], ["kubernetes", "containerd"]),
        ([], [component.name for component in COMPONENTS]),
    ],
    ids=["one", "several of one component", "all"],
)
def test_only_what_is_asked_for_is_built(programs: list[str], names: list[str]) -> None:
    assert [component.name for component in pins.components_of(programs)] == names
