"""`*` and `?` stay within a name, `**` crosses folders, and no glob takes long."""

import fnmatch
import time
from pathlib import PurePosixPath

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tidemill.store.globs import Globs


@pytest.mark.parametrize(
    ("glob", "key", "matches"),
    [
        ("*.csv", "a.csv", True),
        ("*.csv", "b/a.csv", False),
        ("*.csv", "a.csv.gz", False),
        ("*", "a", True),
        ("*", "a/b", False),
        ("a*b*c", "aXbYbZc", True),
        ("a*b*c", "abc", True),
        ("a*bc*bc", "abcbc", True),
        ("a*bc*bc", "abc", False),
        ("a?c", "abc", True),
        ("a?c", "a/c", False),
        ("a?c", "ac", False),
        ("**", "a", True),
        ("**", "a/b/c", True),
        ("**/*.csv", "a.csv", True),
        ("**/*.csv", "a/b/c.csv", True),
        ("2024/**", "2024/a", True),
        ("2024/**", "2024/a/b", True),
        ("2024/**", "2024", False),
        ("2024/**/*.parquet", "2024/a.parquet", True),
        ("2024/**/*.parquet", "2024/01/02/a.parquet", True),
        ("2024/**/*.parquet", "2025/a.parquet", False),
        ("2024/**/*.parquet", "x2024/a.parquet", False),
        ("**/day=*/a", "x/day=1/a", True),
        ("**/day=*/a", "day=1/day=2/a", True),
        ("**/x/**/y", "x/y", True),
        ("**/x/**/y", "a/x/x/b/y", True),
        ("**/x/**/y", "a/y", False),
        ("a/**/b/**/c", "a/b/c", True),
        ("a/**/b/**/c", "a/c", False),
        ("a/**/b/c/**/d", "a/b/b/c/d", True),
        ("a/**/**/c", "a/c", True),
        ("a[1]", "a[1]", True),
        ("a[1]", "a1", False),
        ("a.b", "axb", False),
        ("ü?", "üß", True),
        ("a*", "a\nb", True),
    ],
)
def test_a_glob_matches(glob: str, key: str, matches: bool) -> None:
    assert Globs([glob]).match(key) is matches


def test_one_of_several_must_match() -> None:
    globs = Globs(["*.csv", "x/*"])
    assert [globs.match(key) for key in ("a.csv", "x/y", "x/y/z")] == [True, True, False]


def test_hostile_globs_take_no_time() -> None:
    """A hundred stars, or folders, against a long key that nearly matches."""
    globs = Globs(["*a" * 127 + "b", "**/a/" * 51 + "b", "*" + "?" * 200 + "*b*c"])
    began = time.process_time()
    for key in ("a" * 1024, "a/" * 511 + "a", "ab" * 511 + "a"):
        assert not globs.match(key)
    assert time.process_time() - began < 1


PIECES = st.lists(st.sampled_from(["a", "b", "*", "?"]), min_size=1, max_size=5)
NAMES = PIECES.map("".join).filter(lambda name: "**" not in name)
PATHS = st.lists(st.one_of(NAMES, st.just("**")), min_size=1, max_size=5).map("/".join)
KEYS = st.lists(st.text("ab", min_size=1, max_size=5), min_size=1, max_size=5).map("/".join)


def reference(names: list[str], key: list[str]) -> bool:
    """The definition, without care for time."""
    if not names:
        return not key
    if names[0] == "**":
        if len(names) == 1:
            return bool(key)
        return any(reference(names[1:], key[at:]) for at in range(len(key) + 1))
    return bool(key) and fnmatch.fnmatchcase(key[0], names[0]) and reference(names[1:], key[1:])


@given(glob=PATHS, key=KEYS)
def test_it_agrees_with_its_definition(glob: str, key: str) -> None:
    names, parts = glob.split("/"), list(PurePosixPath(key).parts)
    assert Globs([glob]).match(key) is reference(names, parts)
