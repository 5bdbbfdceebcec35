"""Which headers are of one connection alone, and are not passed on (RFC 9110, 7.6.1)."""

from collections.abc import Collection, Iterable

from tidemill_server.protocol.errors import Header

HOP_BY_HOP = frozenset(
    {
        *(b"connection", b"keep-alive", b"proxy-connection", b"te", b"transfer-encoding"),
        *(b"upgrade", b"trailer", b"proxy-authenticate", b"proxy-authorization"),
    }
)


def passed_on(headers: Iterable[Header], withheld: Collection[bytes]) -> list[Header]:
    """Those of the whole way, without those withheld; all names are in lower case."""
    headers = list(headers)
    named = _named(headers)
    return [
        header
        for header in headers
        if header[0] not in HOP_BY_HOP and header[0] not in withheld and header[0] not in named
    ]


def _named(headers: list[Header]) -> set[bytes]:
    """Those that the header Connection names."""
    return {
        word.strip().lower()
        for name, value in headers
        if name == b"connection"
        for word in value.split(b",")
    }
