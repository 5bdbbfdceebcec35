"""W3C Trace Context, as a request brings it: `traceparent` and `tracestate`.

What is malformed is as if it were not there, and a new trace is begun. A version that is not known
yet is read as far as this one goes, as the Recommendation demands.
"""

import re
from collections.abc import Iterable
from typing import NamedTuple

PARENT, STATE = b"traceparent", b"tracestate"
MAX_STATE_BYTES = 1024  # twice what everybody has to pass on
_MAX_MEMBERS = 32
_SAMPLED = 1
_PARENT = re.compile(
    rb"(?!ff)([0-9a-f]{2})-(?!0{32})([0-9a-f]{32})-(?!0{16})([0-9a-f]{16})-([0-9a-f]{2})(-.*)?"
)
_NAME = rb"[a-z][a-z0-9_*/-]{0,255}|[a-z0-9][a-z0-9_*/-]{0,240}@[a-z][a-z0-9_*/-]{0,13}"
_MEMBER = re.compile(
    rb"(?:%s)=[\x20-\x2b\x2d-\x3c\x3e-\x7e]{0,255}[\x21-\x2b\x2d-\x3c\x3e-\x7e]" % _NAME
)


class Parent(NamedTuple):
    """Whose request it is: the trace, and the span within it."""

    trace: bytes
    span: bytes


UNRECORDED = Parent(b"", b"")  # whichever it is
_LENGTH = 55
_EVEN = b"02468ace"  # the last digit of flags without that of being sampled


def is_plainly_unrecorded(headers: Iterable[tuple[bytes, bytes]]) -> bool:
    """Whether it is seen without reading it that no parent asks for a record, be it valid or not.

    Most requests are such, so that this is to cost as little as can be.
    """
    for name, value in headers:
        if name == PARENT and (len(value) != _LENGTH or value[-1] not in _EVEN):
            return False
    return True


def read_parent(headers: Iterable[tuple[bytes, bytes]]) -> Parent | None:
    """The one valid parent, or UNRECORDED; names are in lower case."""
    found: bytes | None = None
    for name, value in headers:
        if name == PARENT:
            if found is not None:  # of two, nobody can say which is meant
                return None
            found = value
    if found is None:
        return None
    match = _PARENT.fullmatch(found.strip(b" \t"))
    if match is None:
        return None
    if match[5] is not None and match[1] == b"00":
        return None
    if not int(match[4], 16) & _SAMPLED:
        return UNRECORDED
    return Parent(bytes.fromhex(match[2].decode()), bytes.fromhex(match[3].decode()))


def read_state(headers: Iterable[tuple[bytes, bytes]]) -> str:
    """What others have noted with the trace, in one line; empty where it cannot be read."""
    lines = [value for name, value in headers if name == STATE]
    if not lines or sum(map(len, lines)) > MAX_STATE_BYTES:
        return ""
    members = [one for line in lines for part in line.split(b",") if (one := part.strip(b" \t"))]
    if len(members) > _MAX_MEMBERS or not all(map(_MEMBER.fullmatch, members)):
        return ""
    return b",".join(members).decode("ascii")
