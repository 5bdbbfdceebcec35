"""What is remembered between two looks at a namespace."""

from datetime import UTC, datetime

import pytest

from tidemill.dataset.ledger import Ledger
from tidemill.dataset.policies import Note
from tidemill.store.stored import Name

SINCE = datetime(2026, 11, 1, 12, 30, 15, 250, tzinfo=UTC)
ONE, TWO = Name("power", "sha256:1"), Name("other", "sha256:2")


def test_it_is_read_as_it_was_written() -> None:
    ledger = Ledger({ONE: SINCE, TWO: SINCE}, {"power": 3}, content=True)
    assert Ledger.parse(ledger.to_bytes()) == ledger


def test_what_is_gone_is_counted() -> None:
    ledger = Ledger({ONE: SINCE, TWO: SINCE}, {"power": 3}).without(frozenset({ONE, TWO}))
    assert ledger == Ledger({}, {"power": 4, "other": 1}, content=True)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\xff",
        b"[]",
        b"{}",
        b'{"condemned":{"power":{"sha256:1":"yesterday"}},"removed":{}}',
        b'{"condemned":{"power":[]},"removed":{}}',
        b'{"condemned":{},"removed":{"power":"many"}}',
    ],
)
def test_what_cannot_be_read_lets_the_grace_begin_anew(data: bytes) -> None:
    assert Ledger.parse(data) == Ledger()


@pytest.mark.parametrize("data", [b"", b"[]", b"{}", b'{"deletionPolicy":"Delete"}'])
def test_a_note_that_cannot_be_read_retains(data: bytes) -> None:
    assert Note.parse(data).policy == "Retain"


def test_a_note_is_read_as_it_was_written() -> None:
    assert Note.parse(Note("Delete", "u1").to_bytes()) == Note("Delete", "u1")
