"""What holds for every CRD: described, bounded, without floats, as the conventions want it."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tidemill.api import crd

ROOT = Path(__file__).parents[3]
Node = dict[str, Any]

each_kind = pytest.mark.parametrize("kind", crd.KINDS, ids=lambda kind: kind.kind)


def schema_of(kind: type[crd.Kind]) -> Node:
    schema: Node = crd.definition(kind)["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
    return schema


def nodes(node: Node, path: str) -> Iterator[tuple[str, Node]]:
    yield path, node
    for name, child in node.get("properties", {}).items():
        yield from nodes(child, f"{path}.{name}")
    for keyword, mark in (("items", "[]"), ("additionalProperties", "{}")):
        if keyword in node:
            yield from nodes(node[keyword], path + mark)


def part(kind: type[crd.Kind], name: str) -> list[tuple[str, Node]]:
    return list(nodes(schema_of(kind)["properties"][name], f"{kind.kind}.{name}"))


def everywhere(kind: type[crd.Kind]) -> list[tuple[str, Node]]:
    return list(nodes(schema_of(kind), kind.kind))


@each_kind
def test_committed_file_is_the_generated_one(kind: type[crd.Kind]) -> None:
    golden = (ROOT / "crds" / f"{kind.plural}.yaml").read_text(encoding="utf-8")
    assert golden == crd.render(kind), "run `make crds` and commit what changed"


@each_kind
def test_file_says_what_the_definition_says(kind: type[crd.Kind]) -> None:
    assert yaml.safe_load(crd.render(kind)) == crd.definition(kind)


@each_kind
def test_file_is_readable(kind: type[crd.Kind]) -> None:
    text = crd.render(kind)
    assert text.startswith("# Generated from operator/tidemill/api/v1alpha1/")
    assert "&id" not in text, "equal parts are written out, not referred to"
    assert max(map(len, text.splitlines())) <= 130


@each_kind
def test_names(kind: type[crd.Kind]) -> None:
    body = crd.definition(kind)
    names = body["spec"]["names"]
    assert body["metadata"]["name"] == f"{kind.plural}.tidemill.dev"
    assert names["categories"] == ["tidemill"]
    assert names["kind"] == kind.kind
    assert all(short.startswith("tm") for short in names["shortNames"])
    assert body["spec"]["scope"] == "Namespaced"


def test_short_names_are_unique() -> None:
    names = [short for kind in crd.KINDS for short in kind.short_names]
    assert len(names) == len(set(names))


@each_kind
def test_spec_is_required_and_status_is_a_subresource(kind: type[crd.Kind]) -> None:
    assert schema_of(kind)["required"] == ["spec"]
    assert crd.definition(kind)["spec"]["versions"][0]["subresources"] == {"status": {}}


@each_kind
def test_every_field_is_described(kind: type[crd.Kind]) -> None:
    assert [path for path, node in everywhere(kind) if not node.get("description")] == []


@each_kind
def test_no_float_stands_anywhere(kind: type[crd.Kind]) -> None:
    assert [path for path, node in everywhere(kind) if node.get("type") == "number"] == []


# What constructors of estimators and code of the user's take: of any type, and floats as well.
PARAMETERS = [
    "TrainingRun.spec.estimator.sklearn.steps[].params",
    "TrainingRun.spec.estimator.script.params",
    "TrainingRun.spec.estimator.container.params",
    "TrainingRun.spec.search.space{}.values[]",
]


@each_kind
def test_no_float_could_be_kept_in_a_spec_but_as_a_parameter(kind: type[crd.Kind]) -> None:
    keeps = "x-kubernetes-preserve-unknown-fields"
    found = [path for path, node in everywhere(kind) if keeps in node]
    assert found == (PARAMETERS if kind.kind == "TrainingRun" else [])


@each_kind
def test_every_node_is_structural(kind: type[crd.Kind]) -> None:
    for path, node in everywhere(kind):
        anything = node.get("x-kubernetes-int-or-string") or path in PARAMETERS
        assert "type" in node or anything, path
        assert not {"title", "$ref", "oneOf", "allOf", "examples"} & set(node), path
        assert node.get("additionalProperties", {}) is not False, path
        assert node.get("default", "") is not None, path


@each_kind
def test_everything_is_bounded(kind: type[crd.Kind]) -> None:
    def bounded(node: Node) -> bool:
        if node.get("type") == "array":
            return "maxItems" in node
        if "additionalProperties" in node:
            return "maxProperties" in node
        if node.get("type") == "string":
            return bool({"enum", "maxLength", "format"} & set(node))
        return True

    assert [path for path, node in everywhere(kind) if not bounded(node)] == []


@each_kind
def test_every_list_says_how_it_is_merged(kind: type[crd.Kind]) -> None:
    for path, node in everywhere(kind):
        if node.get("type") == "array":
            assert node.get("x-kubernetes-list-type") in ("map", "set", "atomic"), path


@each_kind
def test_conditions_are_a_map_by_type(kind: type[crd.Kind]) -> None:
    conditions = schema_of(kind)["properties"]["status"]["properties"]["conditions"]
    assert conditions["x-kubernetes-list-type"] == "map"
    assert conditions["x-kubernetes-list-map-keys"] == ["type"]
    assert set(conditions["items"]["required"]) >= {"type", "status", "reason", "message"}


@each_kind
def test_every_rule_has_a_message(kind: type[crd.Kind]) -> None:
    for path, node in everywhere(kind):
        for rule in node.get("x-kubernetes-validations", ()):
            assert rule.get("message"), path


def test_every_field_of_a_run_is_immutable_but_how_it_is_held_and_kept() -> None:
    (kind,) = (kind for kind in crd.KINDS if kind.kind == "TrainingRun")
    spec = schema_of(kind)["properties"]["spec"]
    messages = [rule["message"] for rule in spec["x-kubernetes-validations"]]
    guarded = {words.split()[0] for words in messages if "cannot be changed" in words}
    assert guarded == set(spec["properties"]) - {"suspend", "ttlAfterFinished"}


@each_kind
def test_columns_begin_with_the_summary_and_end_with_the_message(kind: type[crd.Kind]) -> None:
    columns = crd.definition(kind)["spec"]["versions"][0]["additionalPrinterColumns"]
    names = [column["name"] for column in columns]
    assert names[0] == ("Succeeded" if kind.kind == "TrainingRun" else "Ready")
    assert names[1] == "Reason"
    usual = [column["name"] for column in columns if not column.get("priority")]
    assert usual[-1] == "Age"
    assert (names[-1], columns[-1]["priority"]) == ("Message", 1)
