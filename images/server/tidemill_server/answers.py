"""An answer on its way out: status, body, headers; and the headers that every answer carries."""

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import orjson

from tidemill_server.protocol.errors import SHOWN_CHARS, Header, ProtocolError, fault
from tidemill_server.protocol.infer import Stamp

JSON = b"application/json"

log = logging.getLogger(__name__)


@dataclass(slots=True)  # not frozen: one is made for each request
class Answer:
    """What the client gets. `close`: the connection is of no use afterwards.

    `stamp`: headers as they are sent, of the model that answers, where not all have the same.
    """

    status: int
    body: bytes
    content_type: bytes = JSON
    headers: tuple[Header, ...] = ()
    prediction: bytes = b""
    close: bool = False
    stamp: bytes = b""


def json_answer(document: Mapping[str, Any], status: int = 200) -> Answer:
    return Answer(status, orjson.dumps(document))


def error_answer(error: ProtocolError) -> Answer:
    """The protocol's error object; the client learns when to come again."""
    headers = error.headers
    if error.retry_after is not None:
        headers = (*headers, (b"retry-after", str(error.retry_after).encode()))
    body = orjson.dumps({"error": error.message})
    return Answer(error.status, body, headers=headers, close=error.close)


def page_answer(page: Callable[[], Answer], path: str) -> Answer:
    """What a page says, or why it says nothing; never raises."""
    try:
        return page()
    except ProtocolError as error:
        return error_answer(error)
    except Exception:  # a fault of ours must not reach the client as anything but the protocol
        log.exception("the page failed", extra={"path": path[:SHOWN_CHARS]})
        return error_answer(fault())


def stamp_headers(stamp: Stamp) -> list[Header]:
    """Which model answered: on everything that the server says."""
    return [
        (b"x-tidemill-model-name", stamp.name.encode("ascii", "replace")),
        (b"x-tidemill-model-version", stamp.version.encode("ascii", "replace")),
        (b"x-tidemill-model-digest", stamp.digest.encode("ascii")),
    ]
