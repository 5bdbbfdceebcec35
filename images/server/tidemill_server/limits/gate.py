"""Requests being answered at a time: beyond the bound they are refused at once, not queued."""

from tidemill_server.protocol.errors import ProtocolError


class Gate:
    """Counts requests in flight. `with gate:` around the work of one."""

    def __init__(self, most: int) -> None:
        self.most = most
        self.count = 0

    def __enter__(self) -> None:
        if self.count >= self.most:
            raise ProtocolError(
                429, f"{self.count} requests are being answered already", retry_after=1
            )
        self.count += 1

    def __exit__(self, *_: object) -> None:
        self.count -= 1
