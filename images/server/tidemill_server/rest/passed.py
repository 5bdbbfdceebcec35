"""An answer that another server wrote, and how it is written once more."""

from dataclasses import dataclass

from tidemill_server.answers import Answer
from tidemill_server.protocol.errors import Header

NO_CONTENT = 204
BODILESS = frozenset({NO_CONTENT, 304})


@dataclass(slots=True)
class Passed(Answer):
    """Its type is among its headers, if it has one. `length` is what its sender said of it.

    That counts where there is no body to be measured: in answer to HEAD, and with the status 304.
    """

    length: int | None = None

    def described(self, *, bodiless: bool) -> tuple[list[Header], bytes]:
        """Its headers, with the length, and what of its body is sent."""
        empty = bodiless or self.status in BODILESS
        length = self.length if empty else len(self.body)
        headers = list(self.headers)
        if length is not None and self.status != NO_CONTENT:
            headers.append((b"content-length", str(length).encode()))
        return headers, b"" if empty else self.body
