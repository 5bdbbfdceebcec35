"""Prediction ids: version 7, ascending, unique."""

import uuid

from tidemill_server.ids import PredictionIds

AT = 1_795_000_000_000_000_000


def test_the_form_is_that_of_uuid_version_7() -> None:
    ids = PredictionIds()
    texts = [ids() for _ in range(1000)]
    found = [uuid.UUID(text) for text in texts]
    assert [str(one) for one in found] == texts
    assert {(one.version, one.variant) for one in found} == {(7, uuid.RFC_4122)}


def test_their_last_62_bits_are_noise() -> None:
    for byte, last in ((b"\xff", "bfff-ffffffffffff"), (b"\0", "8000-000000000000")):
        assert PredictionIds(lambda: AT, lambda size, byte=byte: byte * size)().endswith(last)


def test_the_time_is_in_front() -> None:
    text = PredictionIds(lambda: AT, bytes)()
    assert int(text.replace("-", "")[:12], 16) == AT // 1_000_000
    assert str(uuid.UUID(text)) == text


def test_ids_ascend_also_where_the_clock_stands_or_goes_back() -> None:
    times = iter([AT, AT, AT - 10**9, AT + 1, AT + 10**6, *[AT] * 5000])
    ids = PredictionIds(lambda: next(times))
    made = [ids() for _ in range(5005)]
    assert len({text[:13] for text in made}) == 3, "a millisecond is used up before the next begins"
    assert made == sorted(made)
    assert len(set(made)) == len(made)
