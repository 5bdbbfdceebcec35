"""The bytes of an answer: status line, headers, body."""

import time
from collections.abc import Iterable
from email.utils import formatdate
from http import HTTPStatus

from tidemill_server.answers import Answer
from tidemill_server.protocol.errors import Header
from tidemill_server.rest.passed import Passed

_STATUS = {
    status.value: f"HTTP/1.1 {status.value} {status.phrase}\r\n".encode() for status in HTTPStatus
}
GO_ON = _STATUS[100] + b"\r\n"
CLOSE: Header = (b"connection", b"close")
KEEP: Header = (b"connection", b"keep-alive")


def lines(headers: Iterable[Header]) -> bytes:
    """Headers, each with its end."""
    return b"".join([b"%s: %s\r\n" % header for header in headers])


class Heads:
    """Writes answers; those headers that all have are made once, the date once a second."""

    def __init__(self, every: "list[Header]") -> None:
        self._every = lines(every)
        self._second = 0
        self._common = b""

    def answer(self, answer: Answer, *, bodiless: bool, connection: Header | None) -> bytes:
        """What is sent. `bodiless`: to HEAD, whose answer says how long the body would be."""
        second = int(time.time())
        if second != self._second:
            self._second = second
            self._common = self._every + lines(
                ((b"date", formatdate(second, usegmt=True).encode()),)
            )
        if isinstance(answer, Passed):
            return self._passed(answer, bodiless, connection)
        body = answer.body
        return b"%s%s%scontent-type: %s\r\ncontent-length: %d\r\n%s%s%s\r\n%s" % (
            _STATUS[answer.status],
            self._common,
            answer.stamp,
            answer.content_type,
            len(body),
            b"x-tidemill-prediction-id: %s\r\n" % answer.prediction if answer.prediction else b"",
            lines(answer.headers) if answer.headers else b"",
            lines((connection,)) if connection else b"",
            b"" if bodiless else body,
        )

    def _passed(self, answer: Passed, bodiless: bool, connection: Header | None) -> bytes:
        headers, body = answer.described(bodiless=bodiless)
        if answer.prediction:
            headers.append((b"x-tidemill-prediction-id", answer.prediction))
        if connection is not None:
            headers.append(connection)
        status = _STATUS.get(answer.status) or b"HTTP/1.1 %d \r\n" % answer.status
        return b"%s%s%s\r\n%s" % (status, self._common, lines(headers), body)
