"""Names of children: valid for every parent, the same each time, never another parent's."""

import random
import re

import pytest

from tidemill.children.naming import child_name, service_name, short_hash

LABEL = re.compile(r"[a-z]([-a-z0-9]{0,61}[a-z0-9])?")
PARENTS = {
    "plain": "power",
    "one letter": "a",
    "one digit": "7",
    "digits first": "2024-power",
    "dots": "power.v1.eu",
    "63 characters": "a" * 63,
    "253 characters": "a" * 253,
    "253 characters with dots": ".".join(["a" * 62] * 4)[:253],
    "digits only": "0" * 253,
    "a dash where it is cut": "a" * 48 + "-" + "b" * 40,
    "a dot where it is cut": "1" + "a" * 47 + "." + "b" * 40,
}


@pytest.mark.parametrize("parent", PARENTS.values(), ids=PARENTS)
def test_a_name_is_valid_everywhere(parent: str) -> None:
    for name in (child_name("TrainingRun", parent, "u"), service_name("ModelDeployment", parent)):
        assert LABEL.fullmatch(name), name


@pytest.mark.parametrize("parent", PARENTS.values(), ids=PARENTS)
def test_pods_that_are_numbered_have_valid_names_too(parent: str) -> None:
    assert LABEL.fullmatch(f"{child_name('TrainingRun', parent, 'u')}-63")


def test_any_parent_gives_a_valid_name_of_its_own() -> None:
    chance = random.Random(7)
    seen: dict[str, str] = {}
    for _ in range(3000):
        length = chance.choice([1, 2, 10, 48, 49, 50, 62, 63, 64, 253])
        parent = "".join(chance.choice("ab01-.") for _ in range(length)).strip("-.") or "a"
        parent = re.sub(r"[-.]*\.[-.]*", ".", parent)
        for name in (child_name("Dataset", parent), child_name("TrainingRun", parent)):
            assert LABEL.fullmatch(name), (parent, name)
            assert seen.setdefault(name, parent) == parent
        service = service_name("ModelDeployment", parent)
        assert LABEL.fullmatch(service), (parent, service)
        assert seen.setdefault(f"svc {service}", parent) == parent


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (("Dataset", "a"), ("TrainingRun", "a")),
        (("Dataset", "a.b"), ("Dataset", "a-b")),
        (("Dataset", "a", "b"), ("Dataset", "a", "c")),
        (("Dataset", "ab", "c"), ("Dataset", "a", "bc")),
        (("Dataset", "a", "b", "c"), ("Dataset", "a", "bc")),
        (("Dataset", "a" * 100 + "x"), ("Dataset", "a" * 100 + "y")),
        (("Dataset", "7"), ("Dataset", "x7")),
    ],
    ids=["kind", "dot", "purpose", "boundary", "parts", "end", "digit"],
)
def test_parents_that_look_alike_share_no_child(
    one: tuple[str, ...], other: tuple[str, ...]
) -> None:
    assert child_name(*one) != child_name(*other)


def test_a_name_is_the_same_each_time_and_begins_as_its_parent() -> None:
    assert child_name("Dataset", "power", "u1") == child_name("Dataset", "power", "u1")
    assert child_name("Dataset", "power", "u1").startswith("power-")


@pytest.mark.parametrize(
    ("parent", "kept"),
    [("power", True), ("a" * 63, True), ("a" * 64, False), ("a.b", False), ("1a", False)],
    ids=["plain", "63", "64", "dot", "digit"],
)
def test_a_service_has_its_parents_name_where_it_can(parent: str, kept: bool) -> None:
    assert (service_name("ModelDeployment", parent) == parent) is kept


def test_the_boundaries_of_what_is_hashed_count() -> None:
    assert short_hash("ab", "c") != short_hash("a", "bc") != short_hash("abc")
