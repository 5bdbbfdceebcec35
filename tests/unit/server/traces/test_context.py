"""Which traceparent and tracestate are read, as the Recommendation has it."""

import pytest

from tidemill_server.traces.context import (
    MAX_STATE_BYTES,
    UNRECORDED,
    Parent,
    is_plainly_unrecorded,
    read_parent,
    read_state,
)

TRACE, SPAN = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
READ = Parent(bytes.fromhex(TRACE), bytes.fromhex(SPAN))
GOOD = f"00-{TRACE}-{SPAN}-01"


def headers(name: bytes, *values: str) -> list[tuple[bytes, bytes]]:
    found = [(b"host", b"x"), *((name, value.encode()) for value in values)]
    return [*found, (b"content-length", b"1")]


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (GOOD, READ),
        (f"00-{TRACE}-{SPAN}-00", UNRECORDED),
        (f"00-{TRACE}-{SPAN}-03", READ),  # the second bit says that the id is random
        (f"00-{TRACE}-{SPAN}-fe", UNRECORDED),
        (f" \t{GOOD} ", READ),
        (f"01-{TRACE}-{SPAN}-01", READ),  # of a later version, read as far as this one goes
        (f"cc-{TRACE}-{SPAN}-01-what-may-come", READ),
        (f"cc-{TRACE}-{SPAN}-01-", READ),
    ],
)
def test_a_parent_is_read(value: str, expected: Parent) -> None:
    assert read_parent(headers(b"traceparent", value)) == expected


@pytest.mark.parametrize(
    "value",
    [
        "",
        "00",
        f"ff-{TRACE}-{SPAN}-01",
        f"00-{TRACE}-{SPAN}-01-more",
        f"00-{TRACE}-{SPAN}-01.",
        f"cc-{TRACE}-{SPAN}-01.more",
        f"00-{'0' * 32}-{SPAN}-01",
        f"00-{TRACE}-{'0' * 16}-01",
        f"00-{TRACE.upper()}-{SPAN}-01",
        f"00-{TRACE}-{SPAN.upper()}-01",
        f"0A-{TRACE}-{SPAN}-01",
        f"00-{TRACE[1:]}-{SPAN}-01",
        f"00-{TRACE}-{SPAN}0-01",
        f"00-{TRACE}-{SPAN}-1",
        f"00-{TRACE}-{SPAN}-0x",
        f"00-{TRACE}-{SPAN}",
        f"0-{TRACE}-{SPAN}-01",
        f"00_{TRACE}-{SPAN}-01",
        f"{GOOD}\n",
        f"{GOOD},{GOOD}",
    ],
)
def test_what_is_malformed_is_as_if_it_were_not_there(value: str) -> None:
    assert read_parent(headers(b"traceparent", value)) is None


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([], True),
        ([f"00-{TRACE}-{SPAN}-00"], True),
        ([f"00-{TRACE}-{SPAN}-fe"], True),
        ([f"00-{TRACE.upper()}-{SPAN}-00"], True),  # malformed, which asks for nothing
        ([GOOD], False),
        ([f"00-{TRACE}-{SPAN}-0b"], False),
        ([f"00-{TRACE}-{SPAN}-00", GOOD], False),
        ([f" {GOOD}"], False),
        ([f"{GOOD} "], False),
        ([f"cc-{TRACE}-{SPAN}-01-00"], False),
    ],
)
def test_what_may_be_sampled_is_read(values: list[str], expected: bool) -> None:
    assert is_plainly_unrecorded(headers(b"traceparent", *values)) is expected


def test_of_two_parents_none_is_meant() -> None:
    assert read_parent(headers(b"traceparent", GOOD, GOOD)) is None
    assert read_parent(headers(b"traceparent")) is None
    assert read_parent([]) is None


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([], ""),
        ([""], ""),
        (["foo=1"], "foo=1"),
        (["foo=1,bar=2"], "foo=1,bar=2"),
        (["foo=1", "bar=2"], "foo=1,bar=2"),
        (["foo=1 \t , \t bar=2,"], "foo=1,bar=2"),
        (["foo=1", "", "bar=2"], "foo=1,bar=2"),
        (["0t@s/y=~!"], "0t@s/y=~!"),
        ([f"{'z' * 256}=1"], f"{'z' * 256}=1"),
        ([f"z={'v' * 256}"], f"z={'v' * 256}"),
        ([",".join(f"k{n}=1" for n in range(32))], ",".join(f"k{n}=1" for n in range(32))),
        ([",".join(f"k{n}=1" for n in range(33))], ""),
        ([f"{'z' * 257}=1"], ""),
        ([f"z={'v' * 257}"], ""),
        (["foo"], ""),
        (["foo=1=2"], ""),
        (["Foo=1"], ""),
        (["0foo=1"], ""),
        (["foo@=1"], ""),
        (["foo@bar@baz=1"], ""),
        (["foo =1"], ""),
        (["foo=\x00"], ""),
        (["foo=ü"], ""),
        (["foo=1;bar=2,b a r=3"], ""),
        (["a=" + "v" * 256, "b=" + "v" * 256, "c=" + "v" * 256, "d=" + "v" * 256], ""),
    ],
)
def test_a_state_is_read_whole_or_not(values: list[str], expected: str) -> None:
    assert read_state(headers(b"tracestate", *values)) == expected


def test_a_state_that_everybody_has_to_pass_on_has_room() -> None:
    assert MAX_STATE_BYTES >= 512
