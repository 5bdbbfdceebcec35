"""The one error of the protocol: a status and a sentence, sent as `{"error": …}`."""


class ProtocolError(Exception):
    """What the client is told. `close`: the connection cannot be used any more."""

    def __init__(
        self, status: int, message: str, *, retry_after: int | None = None, close: bool = False
    ) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.retry_after = retry_after
        self.close = close


def bad_request(message: str) -> ProtocolError:
    """What is asked for makes no sense: 400."""
    return ProtocolError(400, message)
