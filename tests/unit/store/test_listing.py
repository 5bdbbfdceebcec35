"""Equal listings have equal fingerprints; markers and half-written output are not data."""

import pytest

from tidemill.store import listing
from tidemill.store.objects import ObjectInfo

ONE = ObjectInfo("raw/a.csv", 1, "e1")
TWO = ObjectInfo("raw/b.csv", 2, "e2")


@pytest.mark.parametrize(
    ("key", "prefix", "data"),
    [
        ("raw/a.csv", "raw/", True),
        ("raw/day=1/a.csv", "raw/", True),
        ("raw/_SUCCESS", "raw/", False),
        ("raw/.a.csv.crc", "raw/", False),
        ("raw/_temporary/0/a.csv", "raw/", False),
        ("raw/.hidden/a.csv", "raw/", False),
        ("raw/sub/", "raw/", False),
        ("raw/", "raw/", False),
        ("_raw/a.csv", "_raw/", True),
        ("x/.y/a.csv", "x/.y/", True),
        ("raw/part-1.csv", "raw/part", True),
        ("raw/part_1.csv", "raw/part", True),
        ("raw/part/_SUCCESS", "raw/part", False),
        ("_a.csv", "", False),
        ("a.csv", "", True),
        ("raw/_only.csv", "raw/_only.csv", False),
    ],
)
def test_what_is_data(key: str, prefix: str, data: bool) -> None:
    assert listing.is_data(key, prefix) is data


def test_the_order_of_the_listing_does_not_matter() -> None:
    assert listing.fingerprint([ONE, TWO], "raw/") == listing.fingerprint([TWO, ONE], "raw/")


def test_markers_do_not_matter() -> None:
    marker = ObjectInfo("raw/_SUCCESS", 0, "e")
    assert listing.fingerprint([ONE, marker], "raw/") == listing.fingerprint([ONE], "raw/")


@pytest.mark.parametrize(
    "changed",
    [
        [ONE],
        [ONE, ObjectInfo("raw/b.csv", 2, "e3")],
        [ONE, ObjectInfo("raw/b.csv", 3, "e2")],
        [ONE, ObjectInfo("raw/c.csv", 2, "e2")],
        [ONE, TWO, ObjectInfo("raw/c.csv", 0, "e")],
    ],
    ids=["removed", "replaced", "grown", "renamed", "added"],
)
def test_every_change_matters(changed: list[ObjectInfo]) -> None:
    assert listing.fingerprint(changed, "raw/") != listing.fingerprint([ONE, TWO], "raw/")


def test_data_is_sorted_by_bytes() -> None:
    keys = ["raw/ä", "raw/z", "raw/Z", "raw/a"]
    found = listing.data_objects([ObjectInfo(key, 1, "e") for key in keys], "raw/")
    assert [info.key for info in found] == ["raw/Z", "raw/a", "raw/z", "raw/ä"]


def infos(*keys: str) -> list[ObjectInfo]:
    return [ObjectInfo(key, 1, "e") for key in keys]


@pytest.mark.parametrize(
    ("prefix", "include", "kept"),
    [
        ("raw/", ["*.csv"], ["raw/a.csv"]),
        ("raw/", ["**/*.csv"], ["raw/a.csv", "raw/day=1/b.csv"]),
        ("raw/", ["*.csv", "day=1/*.txt"], ["raw/a.csv", "raw/day=1/c.txt"]),
        ("raw", ["*.csv"], ["raw/a.csv"]),
        ("raw/day=", ["1/*.txt"], ["raw/day=1/c.txt"]),
        ("raw/a.csv", ["*.csv"], ["raw/a.csv"]),
        ("", ["raw/*"], ["raw/a.csv"]),
        ("raw/", ["**/_*"], []),
    ],
)
def test_globs_narrow_what_is_data(prefix: str, include: list[str], kept: list[str]) -> None:
    keys = ["raw/_x.csv", "raw/a.csv", "raw/day=1/b.csv", "raw/day=1/c.txt"]
    listed = infos(*(key for key in keys if key.startswith(prefix)))
    assert [info.key for info in listing.data_objects(listed, prefix, include)] == kept


def test_what_is_not_included_does_not_matter() -> None:
    def mark(*objects: ObjectInfo) -> str:
        found = listing.data_objects(objects, "raw/", ["a.*"])
        return listing.fingerprint(found, "raw/")

    assert mark(ONE, TWO) == mark(ONE) == listing.fingerprint([ONE], "raw/")


@pytest.mark.parametrize(
    ("keys", "tells"),
    [
        ([], "no object lies under s3://raw/day/: deliver data"),
        (["day/_a", "day/.b"], "none of the 2 object(s) under s3://raw/day/ is data (names that"),
        (["day/_a", "day/b"], "none of the 1 object(s) under s3://raw/day/ matches"),
    ],
    ids=["nothing", "only-hidden", "nothing-included"],
)
def test_an_empty_listing_tells_what_was_left_out(keys: list[str], tells: str) -> None:
    message = listing.nothing_left("s3://raw/day/", infos(*keys), "day/")
    assert tells in message
    assert ("spec.source.s3.include, the first is b:" in message) is ("matches" in tells)
