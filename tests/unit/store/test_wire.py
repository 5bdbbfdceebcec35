"""Tags and numbers as protocol buffers read them: what would be cut to another is refused."""

import re

import pytest

from tidemill.store.wire import BYTES, VARINT, BrokenMessage, Message


def fields(data: bytes) -> list[tuple[int, int]]:
    return [(number, kind) for number, kind, _ in Message.whole(data).fields()]


def test_fields_are_given_as_they_stand_there() -> None:
    assert fields(b"\x08\x01\x12\x00\xa0\x01\x05") == [(1, VARINT), (2, BYTES), (20, VARINT)]


def test_the_largest_number_has_64_bits() -> None:
    largest = b"\x08" + b"\xff" * 9 + b"\x01"
    assert [value for *_, value in Message.whole(largest).fields()] == [2**64 - 1]


@pytest.mark.parametrize(
    ("data", "said"),
    [
        # Field 1 and 2^32: cut to 32 bits it is field 1.
        (b"\x8a\x80\x80\x80\x10\x00", "field's number"),
        (b"\x8a\x00\x00", "field's number"),
        (b"\x8a\x80\x80\x80\x00\x00", "field's number"),
        (b"\x08" + b"\xff" * 9 + b"\x02", "more than 64 bits"),
        (b"\x08" + b"\xff" * 10, "too long"),
        (b"\x02\x00", "number 0"),
        (b"\x0b", "wire type 3"),
    ],
    ids=["33 bits", "two bytes", "five bytes", "65 bits", "eleven bytes", "none", "a group"],
)
def test_what_is_read_otherwise_elsewhere_is_refused(data: bytes, said: str) -> None:
    with pytest.raises(BrokenMessage, match=said):
        fields(data)


class _Floats:
    """Steps over single floats, as a pattern does, and notes how far it may look at once."""

    def __init__(self) -> None:
        self.widths: list[int] = []
        self._pattern = re.compile(rb"(?:\x0d....)++", re.DOTALL)

    def match(self, buffer: bytes, start: int, end: int) -> re.Match[bytes] | None:
        self.widths.append(end - start)
        return self._pattern.match(buffer, start, end)


def test_long_runs_are_stepped_over_a_piece_at_a_time() -> None:
    """No other thread of the process can go on while a pattern is matched."""
    passed, data = _Floats(), b"\x0d\x00\x00\x80\x3f" * 1_000_000 + b"\x10\x05"
    found = Message.whole(data).fields(passed)  # type: ignore[arg-type]
    assert [(number, value) for number, _, value in found] == [(2, 5)]
    assert len(passed.widths) < 10
    assert max(passed.widths) <= 1024 * 1024
