"""The one error of the protocol: a status and a sentence, sent as `{"error": …}`."""

Header = tuple[bytes, bytes]
SHOWN_CHARS = 100


class ProtocolError(Exception):
    """What the client is told. `close`: the connection cannot be used any more."""

    def __init__(
        self,
        status: int,
        message: str,
        *,
        retry_after: int | None = None,
        close: bool = False,
        headers: tuple[Header, ...] = (),
    ) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.retry_after = retry_after
        self.close = close
        self.headers = headers


class TooLate(ProtocolError):  # noqa: N818 - says what the answer would be
    """The time that the client gave has passed before its rows came to the model."""

    def __init__(self, seconds: float) -> None:
        super().__init__(
            503,
            f"the request waited longer than the {seconds:g} s that its client gave it",
            retry_after=1,
        )


def bad_request(message: str) -> ProtocolError:
    """What is asked for makes no sense: 400."""
    return ProtocolError(400, message)


def fault() -> ProtocolError:
    """A fault of ours: of it no more is said to the client."""
    return ProtocolError(500, "the server failed; its log says why")


def shown(value: object) -> str:
    """What the client sent, short enough to be told back however much it was."""
    if isinstance(value, dict | list):
        return "an object" if isinstance(value, dict) else "a list"
    if isinstance(value, str):
        return repr(value[:SHOWN_CHARS]) + ("…" if len(value) > SHOWN_CHARS else "")
    return "bytes" if isinstance(value, memoryview) else repr(value)
