"""Requests being answered at a time: beyond the bound they are refused at once, not queued.

A request counts as soon as its body is there: who sends slowly takes no place from others.
"""

from tidemill_server.protocol.errors import ProtocolError


class Gate:
    """Counts requests in flight. `with gate:` around the work of one.

    `within`: another that counts them as well, those of other models too.
    """

    def __init__(self, most: int, within: "Gate | None" = None) -> None:
        self.most = most
        self.count = 0
        self._within = within

    def check(self) -> None:
        """Refuse now what would be refused when its body is there; raises ProtocolError."""
        if self.count >= self.most:
            raise ProtocolError(
                429, f"{self.count} requests are being answered already", retry_after=1
            )
        if self._within is not None:
            self._within.check()

    def enter(self) -> None:
        """Count one more; raises ProtocolError."""
        self.check()
        self.count += 1
        if self._within is not None:
            self._within.enter()

    def leave(self) -> None:
        self.count -= 1
        if self._within is not None:
            self._within.leave()

    def __enter__(self) -> None:
        self.enter()

    def __exit__(self, *_: object) -> None:
        self.leave()
