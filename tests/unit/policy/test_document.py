"""A policy is understood as a whole or refused with words for who wrote it."""

import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.manifests.documents import objects

from tidemill.policy.document import KEY, NAME, PolicyDocument, PolicyError, Rules, matches, read


def config_map(text: str, **more: Any) -> dict[str, Any]:
    return {"metadata": {"name": NAME}, "data": {KEY: text}, **more}


@pytest.mark.parametrize(
    ("pattern", "text", "expected"),
    [
        pytest.param("a.b", "a.b", True, id="as it stands"),
        pytest.param("a.b", "axb", False, id="a point is a point"),
        pytest.param("a.b", "a.b.c", False, id="to its end"),
        pytest.param("sklearn.*", "sklearn.svm.SVC", True, id="any depth"),
        pytest.param("sklearn.*", "sklearnx.SVC", False, id="not only the beginning"),
        pytest.param("*", "", True, id="nothing is something"),
        pytest.param("sklearn.*.Ridge*", "sklearn.linear_model.RidgeCV", True, id="two"),
        pytest.param("a*", "a\nb", True, id="over lines"),
        pytest.param("a", "a\n", False, id="no line more"),
        pytest.param("ab*ba", "aba", False, id="ends do not overlap"),
        pytest.param("a*b*c", "a-b-c", True, id="in order"),
        pytest.param("a*c*b", "a-b-c", False, id="not in another order"),
        pytest.param("a**b", "ab", True, id="two at once"),
    ],
)
def test_patterns(pattern: str, text: str, expected: bool) -> None:
    assert matches(pattern, text) is expected


@given(st.text("ab*", max_size=8), st.text("ab", max_size=10))
def test_patterns_as_an_expression_has_them(pattern: str, text: str) -> None:
    expression = ".*".join(re.escape(part) for part in pattern.split("*"))
    assert matches(pattern, text) is bool(re.fullmatch(expression, text))


@pytest.mark.parametrize(
    "found",
    [
        pytest.param(None, id="no ConfigMap"),
        pytest.param(config_map(""), id="an empty one"),
        pytest.param(config_map("rules: {}\n"), id="no rule"),
    ],
)
def test_without_rules_all_is_allowed(found: dict[str, Any] | None) -> None:
    assert read(found) == PolicyDocument()
    assert read(found).within("any") == Rules()


WHOLE = """
rules:
  images: [registry.example.org/ml/*]
  estimators: [sklearn.*]
  labels: {team: "*"}
  maxDeadline: 4h
  maxResources:
    container: {memory: 8Gi, cpu: 4}
namespaces:
  - names: [lab-*]
    rules: {estimators: null, maxDeadline: 24h}
  - names: [lab-1, other]
    rules: {images: []}
"""


def test_the_first_exemption_counts_field_by_field() -> None:
    found = read(config_map(WHOLE))
    rules, lab, other = found.rules, found.within("lab-1"), found.within("other")
    assert found.within("team") == rules
    assert rules.max_resources is not None
    assert rules.max_resources.container == {"memory": "8Gi", "cpu": "4"}
    assert (lab.estimators, lab.max_deadline) == (None, "24h")
    assert (lab.images, lab.labels) == (rules.images, rules.labels)
    assert (other.images, other.estimators) == ([], ["sklearn.*"])


@pytest.mark.parametrize(
    ("text", "words"),
    [
        pytest.param("rules: [", "not YAML", id="not YAML"),
        pytest.param("a text", "the document", id="not a mapping"),
        pytest.param("rules: {image: []}", "rules.image: there is no such field", id="misspelt"),
        pytest.param(
            "rules: {images: [a.io/x/*]}\nrules: {}", "'rules' is there twice", id="twice"
        ),
        pytest.param(
            "rules: {images: ['registry.example.org*']}",
            "does not begin with a whole registry",
            id="a registry that others could begin with",
        ),
        pytest.param("rules: {images: ['*.example.org/a']}", "whole registry", id="any registry"),
        pytest.param("rules: {images: [team/*]}", "whole registry", id="no registry"),
        pytest.param("rules: {images: [registry.example.org/]}", "whole registry", id="no path"),
        pytest.param("rules: {maxDeadline: 1 hour}", "rules.maxDeadline", id="no duration"),
        pytest.param(
            "rules: {maxResources: {pod: {cpu: 0.5}}}", "put 0.5 in quotation marks", id="a float"
        ),
        pytest.param("rules: {maxResources: {pod: {memory: lots}}}", "pod.memory", id="no amount"),
        pytest.param("namespaces: [{rules: {}}]", "namespaces.0.names", id="for no namespace"),
        pytest.param("rules: {estimators: ['sk learn']}", "rules.estimators.0", id="no class"),
        pytest.param("rules: {maxDeadline: 2001-13-45}", "not YAML", id="no date"),
        pytest.param("? [a]\n: b", "not YAML", id="a list for a key"),
        pytest.param("!!python/object:os.system {}", "not YAML", id="code"),
    ],
)
def test_what_is_refused(text: str, words: str) -> None:
    with pytest.raises(PolicyError) as caught:
        read(config_map(text))
    assert words in str(caught.value)
    assert KEY in str(caught.value)


@pytest.mark.parametrize(
    "data",
    [
        pytest.param({}, id="no key"),
        pytest.param({"policy.yml": "rules: {}"}, id="another key"),
        pytest.param({KEY: "rules: {}", "more.yaml": ""}, id="one key more"),
    ],
)
def test_there_is_one_key(data: dict[str, str]) -> None:
    with pytest.raises(PolicyError, match=r"one key, policy\.yaml"):
        read({"data": data})


def test_deep_nesting_is_refused_and_ends_nothing() -> None:
    with pytest.raises(PolicyError):
        read(config_map("[" * 100_000))


def test_the_sample_is_a_policy() -> None:
    (body,) = (one for one in objects("samples/policy") if one["kind"] == "ConfigMap")
    assert body["metadata"]["name"] == NAME
    rules = read(body).rules
    assert all(getattr(rules, name) is not None for name in Rules.model_fields), "shows each rule"
