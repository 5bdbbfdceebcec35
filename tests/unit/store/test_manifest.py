"""A version is the digest of what lies in it, and of nothing else."""

from dataclasses import replace
from typing import Any

import pytest

from tidemill.store import digests, manifest
from tidemill.store.manifest import Entry, Manifest, ManifestError, Place

SCHEMA = digests.sha256_digest(b"schema")
PLACE = Place("https://s3.example", "", "raw", "in/", path_style=True)
ONE = Entry("a.csv", digests.sha256_digest(b"1"), 1, "etag-1")
TWO = Entry("sub/b.csv", digests.sha256_digest(b"2"), 2)
VERSION = Manifest.of("CSV", SCHEMA, [ONE, TWO])


def test_the_text_is_canonical() -> None:
    assert VERSION.to_bytes().decode().splitlines() == [
        f'{{"format":"CSV","schema":"{SCHEMA}","v":1}}',
        f'{{"h":"{ONE.digest}","k":"a.csv","s":1,"v":"etag-1"}}',
        f'{{"h":"{TWO.digest}","k":"sub/b.csv","s":2}}',
    ]


def test_it_reads_back() -> None:
    assert manifest.parse(VERSION.to_bytes(), VERSION.digest) == VERSION
    assert VERSION.total_bytes == 3


def test_it_tells_where_objects_are_that_were_not_copied() -> None:
    left = replace(VERSION, place=PLACE)
    assert manifest.parse(left.to_bytes(), VERSION.digest) == left
    assert (PLACE.key(TWO), str(PLACE)) == ("in/sub/b.csv", "s3://raw/in/")
    alone = replace(PLACE, prefix="a.csv")
    assert alone.key(ONE) == "a.csv"


@pytest.mark.parametrize("sign", ["\n", "\r", "\x1e", "\x85", "\u2028", "\u2029"])
def test_a_key_may_hold_signs_that_end_a_line_of_text(sign: str) -> None:
    odd = Manifest.of("CSV", SCHEMA, [replace(ONE, key=f"a{sign}b"), TWO])
    assert manifest.parse(odd.to_bytes(), odd.digest) == odd


@pytest.mark.parametrize(
    "same",
    [
        pytest.param(Manifest.of("CSV", SCHEMA, [TWO, ONE]), id="another-order"),
        pytest.param(
            Manifest.of("CSV", SCHEMA, [replace(ONE, version="2"), TWO]), id="uploaded-again"
        ),
        pytest.param(
            Manifest.of("CSV", SCHEMA, [replace(ONE, version=None), TWO]), id="without-a-pin"
        ),
        pytest.param(replace(VERSION, place=PLACE), id="not-copied"),
    ],
)
def test_the_same_bytes_are_the_same_version(same: Manifest) -> None:
    assert same.digest == VERSION.digest


@pytest.mark.parametrize(
    "other",
    [
        pytest.param(Manifest.of("Parquet", SCHEMA, [ONE, TWO]), id="format"),
        pytest.param(Manifest.of("CSV", ONE.digest, [ONE, TWO]), id="schema"),
        pytest.param(Manifest.of("CSV", SCHEMA, [ONE]), id="an-object-less"),
        pytest.param(Manifest.of("CSV", SCHEMA, [replace(ONE, key="c"), TWO]), id="a-key"),
        pytest.param(Manifest.of("CSV", SCHEMA, [replace(ONE, size=9), TWO]), id="a-size"),
        pytest.param(
            Manifest.of("CSV", SCHEMA, [replace(ONE, digest=TWO.digest), TWO]), id="content"
        ),
    ],
)
def test_anything_else_is_another_version(other: Manifest) -> None:
    assert other.digest != VERSION.digest
    with pytest.raises(ManifestError, match=f"not {VERSION.digest}"):
        manifest.parse(other.to_bytes(), VERSION.digest)


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(b"", id="empty"),
        pytest.param(b"\xff", id="no-text"),
        pytest.param(b"[]\n", id="no-object"),
        pytest.param(b"{}\n", id="no-fields"),
        pytest.param(VERSION.to_bytes().replace(b'"v":1}', b'"v":2}'), id="a-later-format"),
        pytest.param(VERSION.to_bytes()[:-20], id="cut-short"),
        pytest.param(VERSION.to_bytes().replace(ONE.digest.encode(), b"../x"), id="no-digest"),
        pytest.param(VERSION.to_bytes() + VERSION.to_bytes().splitlines()[1], id="a-key-twice"),
    ],
)
def test_what_is_no_manifest_is_refused(data: bytes) -> None:
    with pytest.raises(ManifestError):
        manifest.parse(data)


def test_keys_sort_by_bytes() -> None:
    entries: list[Any] = [replace(ONE, key=key) for key in ("ä", "z", "Z")]
    assert [e.key for e in Manifest.of("CSV", SCHEMA, entries).entries] == ["Z", "z", "ä"]
