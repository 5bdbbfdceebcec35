"""Bodies without a connection: one that has come, and one that comes as it is let."""

import asyncio

from tidemill_server.limits.body import Body


class Waited:
    """A source that notes that more is waited for, and that too much has come."""

    def __init__(self) -> None:
        self.waits = asyncio.Event()
        self.full = False

    def wanted(self) -> None:
        self.waits.set()

    def held(self) -> None:
        self.full = True

    def taken(self) -> None:
        self.full = False


def came(data: bytes) -> Body:
    """A body of which all is there."""
    body = Body(Waited())
    body.add(data)
    body.end()
    return body


class Slow:
    """A body of which the first part is there."""

    def __init__(self, first: bytes) -> None:
        self.source = Waited()
        self.body = Body(self.source)
        self.body.add(first)
