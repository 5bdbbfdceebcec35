"""A file in UBJSON is walked to its end before XGBoost reads it, which goes on behind it."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.runner.imported.foreign import xgb

from tidemill_runner.imported import ubjson

DEEP = b"[" * 40 + b"]" * 40


def length(count: int) -> bytes:
    return b"L" + count.to_bytes(8, "big", signed=True)


def of(value: bytes) -> bytes:
    return b"{" + length(1) + b"a" + value + b"}"


def check(folder: Path, data: bytes) -> None:
    path = folder / "model.ubj"
    path.write_bytes(data)
    ubjson.check(path)


@pytest.mark.parametrize(
    "params",
    [{}, {"objective": "multi:softprob", "num_class": 2}, {"booster": "dart"}],
    ids=["plain", "classes", "dart"],
)
def test_what_xgboost_writes_is_taken(tmp_path: Path, params: dict[str, object]) -> None:
    check(tmp_path, xgb(tmp_path, **params))


@pytest.mark.parametrize(
    "value",
    [
        *(b"Z", b"T", b"F", b"i\x01", b"U\x01", b"CA", b"I\0\1", b"l" + bytes(4), b"D" + bytes(8)),
        *(b"[]", b"[ZZ]", b"{}", b"[[]{}]", b"S" + length(0), b"S" + length(2) + b"ab"),
        *(b"[#" + length(2) + b"ZT", b"[$d#" + length(2) + bytes(8), b"[$l#" + length(0)),
        b"[#" + length(0),
    ],
)
def test_every_value_that_the_library_knows_is_taken(tmp_path: Path, value: bytes) -> None:
    check(tmp_path, of(value))


def test_no_beginning_of_a_file_is_taken(tmp_path: Path) -> None:
    data = xgb(tmp_path)
    for size in (*range(1, 400), *range(400, len(data), 37), len(data) - 1):
        with pytest.raises(ValueError, match=r"cut off|no length"):
            check(tmp_path, data[:size])


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"[]", "no UBJSON object"),
        (of(b"Z") + b"Z", "goes on for 1 bytes"),
        (of(b"x"), "the mark b'x'"),
        (of(b"S" + length(-1)), "a length of -1"),
        (of(b"S" + length(2**62)), "cut off"),
        (of(b"[$d#" + length(2**62)), "cut off"),
        (of(b"[#" + length(2**62)), "the mark b'}'"),
        (of(b"[$x#" + length(0)), "without a type or size"),
        (of(b"[$d" + length(0)), "without a type or size"),
        (b"{S" + length(1) + b"aZ}", "no length"),
        (of(DEEP), "deeper than 32"),
    ],
)
def test_what_is_no_document_is_refused(tmp_path: Path, data: bytes, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        check(tmp_path, data)


@given(st.binary(max_size=200))
def test_any_bytes_are_taken_or_refused(data: bytes) -> None:
    reader = ubjson._Reader(data)
    try:
        reader.walk()
    except ValueError:
        return
    assert 0 < reader.place <= len(data)
