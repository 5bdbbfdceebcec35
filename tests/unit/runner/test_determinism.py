"""The same inputs give the same package, bit by bit, also in another process."""

from tests.bench.determinism import FAMILIES, differing, in_two_processes


def test_one_of_each_family_is_the_same_package_twice() -> None:
    one, two = in_two_processes(list(FAMILIES), several=2)
    assert [name for name, found in one.items() if "refused" in found] == []
    assert len(one) == len(FAMILIES)
    assert differing(one, two) == {}


def test_what_differs_is_named() -> None:
    same = {"digest": "a", "files": {"model.skops": "m"}}
    other = {"digest": "b", "files": {"model.skops": "n", "card.md": "c"}}
    assert differing({"e": same}, {"e": same}) == {}
    assert differing({"e": same}, {"e": other}) == {"e": ["model.skops"]}
    assert differing({"e": {"refused": "x"}}, {"e": {"refused": "y"}}) == {"e": []}
