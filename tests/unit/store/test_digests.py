"""Equal values have equal digests, whatever the order of their keys."""

import hashlib
from typing import Any

import pytest

from tidemill.store import digests


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ({"b": 1, "a": [1, None, True]}, b'{"a":[1,null,true],"b":1}'),
        ({"ü": "漢\n"}, '{"ü":"漢\\n"}'.encode()),
        (0.1, b"0.1"),
    ],
    ids=["sorted", "utf-8", "number"],
)
def test_the_canonical_text(value: Any, expected: bytes) -> None:
    assert digests.canonical_json(value) == expected


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_what_json_has_no_text_for_is_refused(value: float) -> None:
    with pytest.raises(ValueError, match="not JSON compliant"):
        digests.canonical_json([value])


def test_a_stream_hashes_as_the_whole() -> None:
    hasher = digests.Hasher()
    for part in (b"ab", b"", b"c"):
        hasher.update(part)
    assert (hasher.digest, hasher.size) == (digests.sha256_digest(b"abc"), 3)
    assert hasher.digest == f"sha256:{hashlib.sha256(b'abc').hexdigest()}"


@pytest.mark.parametrize(
    "text",
    [
        *("", "sha256:", "sha256:" + "0" * 63, "sha256:" + "G" * 64, "md5:" + "0" * 64),
        *("sha256:" + "0" * 64 + "\n", "sha256:../" + "0" * 61, None, 5),
    ],
)
def test_only_a_digest_becomes_part_of_a_key(text: Any) -> None:
    assert not digests.is_digest(text)
    with pytest.raises((ValueError, AttributeError, TypeError)):
        digests.hex_of(text)
