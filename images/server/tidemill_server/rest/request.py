"""A request, as it was read from its connection."""

from dataclasses import dataclass

from tidemill_server.limits.body import Body
from tidemill_server.protocol.errors import Header


@dataclass(slots=True)  # not frozen: one is made for each request
class Request:
    """Its head, and its body as it comes. `path` is decoded and without a query.

    `kept`: the client means to ask more over the same connection. `expects`: it sends the body when
    it is told to go on, which it has not been yet.
    """

    method: str
    path: str
    headers: list[Header]
    body: Body
    kept: bool
    expects: bool = False
    http10: bool = False
