"""What a spec asks for is found wherever it stands."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from tidemill.policy import asked

CRDS = Path(__file__).parents[3] / "crds"
SVC = {"class": "sklearn.svm.SVC", "params": {"C": 2}}


def sklearn(*steps: dict[str, Any]) -> dict[str, Any]:
    return {"estimator": {"sklearn": {"steps": [*steps]}}}


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        pytest.param(sklearn(SVC), {"sklearn.svm.SVC"}, id="a step"),
        pytest.param(
            sklearn({"class": "a.Bag", "params": {"estimator": SVC}}),
            {"a.Bag", "sklearn.svm.SVC"},
            id="in params",
        ),
        pytest.param(
            sklearn(
                {
                    "class": "a.Stack",
                    "params": {
                        "estimators": [{"name": "one", "steps": [{"name": "s", **SVC}]}],
                        "final_estimator": {"class": "a.Last"},
                    },
                }
            ),
            {"a.Stack", "sklearn.svm.SVC", "a.Last"},
            id="in a pipeline of a list in params",
        ),
        pytest.param(
            sklearn(
                {
                    "class": "a.Columns",
                    "params": {"transformers": [{"class": "drop"}, {"class": "passthrough"}]},
                }
            ),
            {"a.Columns"},
            id="words that are no classes",
        ),
        pytest.param(
            {
                **sklearn({"class": "a.Bag"}),
                "search": {"space": {"m__estimator": {"values": [SVC, None, 3]}}},
            },
            {"a.Bag", "sklearn.svm.SVC"},
            id="a value of a search",
        ),
        pytest.param(
            sklearn({"class": "a.B", "params": {"class_weight": {"class": 3}}}),
            {"a.B"},
            id="a weight is none",
        ),
        pytest.param({"estimator": {"script": {"configMap": "x"}}}, {"script"}, id="a script"),
        pytest.param({"estimator": {"container": {"image": "a"}}}, {"container"}, id="a container"),
        pytest.param({"source": {}}, set(), id="a Dataset"),
    ],
)
def test_classes(spec: dict[str, Any], expected: set[str]) -> None:
    assert {one.value for one in asked.estimators(spec)} == expected


def test_a_class_is_told_with_its_field() -> None:
    spec = sklearn({"class": "a.Bag", "params": {"estimator": SVC}})
    fields = [one.field for one in asked.estimators(spec)]
    assert fields == [
        "spec.estimator.sklearn.steps[0].class",
        "spec.estimator.sklearn.steps[0].params.estimator.class",
    ]


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        pytest.param(
            {"template": {"sidecars": [{"image": "a"}, {"image": "b"}]}},
            {"spec.template.sidecars[0].image": "a", "spec.template.sidecars[1].image": "b"},
            id="sidecars",
        ),
        pytest.param(
            {"prepare": {"container": {"image": "a"}, "deadline": "1h"}},
            {"spec.prepare.container.image": "a"},
            id="prepare",
        ),
        pytest.param(
            {"estimator": {"container": {"image": "a"}}},
            {"spec.estimator.container.image": "a"},
            id="an estimator's container",
        ),
        pytest.param(
            sklearn({"class": "a.B", "params": {"image": "x"}}), {}, id="a parameter is none"
        ),
        pytest.param({"template": {"nodeSelector": {"image": "x"}}}, {}, id="a label is none"),
    ],
)
def test_images(spec: dict[str, Any], expected: dict[str, str]) -> None:
    assert {one.field: one.value for one in asked.images(spec)} == expected


def test_labels_that_a_pod_keeps_away_from_are_no_deadlines_and_no_images() -> None:
    term = {"labelSelector": {"matchLabels": {"deadline": "soon", "image": "x"}}}
    spec = {"template": {"affinity": {"podAntiAffinity": {"required": [term]}}}}
    assert [*asked.deadlines(spec), *asked.images(spec)] == []


def test_deadlines() -> None:
    spec = {"deadline": "2h", "prepare": {"deadline": "1h", "sql": "deadline"}}
    assert {one.field for one in asked.deadlines(spec)} == {
        "spec.deadline",
        "spec.prepare.deadline",
    }


@pytest.mark.parametrize(
    ("image", "expected"),
    [
        ("busybox@sha256:0", "docker.io/library/busybox@sha256:0"),
        ("team/tool@sha256:0", "docker.io/team/tool@sha256:0"),
        ("registry.example.org/a@sha256:0", "registry.example.org/a@sha256:0"),
        ("localhost/a", "localhost/a"),
        ("localhost:5000/a", "localhost:5000/a"),
        ("busybox:1.0", "docker.io/library/busybox:1.0"),
        ("Evil/tool", "Evil/tool"),
        ("docker.io/busybox", "docker.io/library/busybox"),
        ("docker.io/team/tool", "docker.io/team/tool"),
        ("index.docker.io/busybox", "docker.io/library/busybox"),
        ("index.docker.io/team/tool@sha256:0", "docker.io/team/tool@sha256:0"),
    ],
)
def test_full_names(image: str, expected: str) -> None:
    assert asked.full_name(image) == expected


def fields(schema: dict[str, Any], place: str = "spec") -> list[str]:
    """Name every field of a schema."""
    found = []
    for name, inner in (schema.get("properties") or {}).items():
        found += [f"{place}.{name}", *fields(inner, f"{place}.{name}")]
    if "items" in schema:
        found += fields(schema["items"], place)
    return found


@pytest.mark.parametrize("path", sorted(CRDS.glob("*.yaml")), ids=lambda path: path.stem)
def test_whatever_names_an_image_or_a_deadline_is_called_so(path: Path) -> None:
    crd = yaml.safe_load(path.read_text(encoding="utf-8"))
    schema = crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"]
    for field in fields(schema):
        parts = field.split(".")
        for word in ("image", "deadline"):
            if word in parts[-1].lower():
                assert parts[-1] == word, f"{field} would be passed over by a policy"
                assert not asked._OWN_WORDS & set(parts), f"{field} is not looked at"


def maps(schema: dict[str, Any], place: str = "spec") -> list[str]:
    """Name every field whose keys are free."""
    found = [place] if isinstance(schema.get("additionalProperties"), dict) else []
    for name, inner in (schema.get("properties") or {}).items():
        found += maps(inner, f"{place}.{name}")
    return found + (maps(schema["items"], place) if "items" in schema else [])


@pytest.mark.parametrize("path", sorted(CRDS.glob("*.yaml")), ids=lambda path: path.stem)
def test_what_has_keys_of_the_users_own_is_not_walked_into(path: Path) -> None:
    crd = yaml.safe_load(path.read_text(encoding="utf-8"))
    schema = crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"]
    for field in maps(schema):
        assert asked._OWN_WORDS & set(field.split(".")), f"{field}: its keys are no fields"
