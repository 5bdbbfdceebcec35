"""Who may ask: whoever bears a token that is known here, or one that a known issuer has signed.

What is refused is said as RFC 6750 has it, before anything of the request's body is read.
"""

import logging
from collections.abc import Iterable
from typing import TYPE_CHECKING

from tidemill_server.access.tokens import Tokens
from tidemill_server.protocol.errors import Header, ProtocolError

if TYPE_CHECKING:
    from tidemill_server.access.oidc import Issuer

MAX_TOKEN_BYTES = 8 * 1024  # what is longer takes milliseconds to read
_SCHEME = b"bearer "

log = logging.getLogger(__name__)


class Guard:
    """Checks what a request says of who sends it."""

    def __init__(self, tokens: Tokens | None, issuer: "Issuer | None") -> None:
        self._tokens = tokens
        self._issuer = issuer

    async def prepare(self) -> None:
        """Return when whoever may ask can be known."""
        if self._issuer is not None:
            await self._issuer.prepare()

    def check(self, headers: Iterable[Header]) -> None:
        """Return where it may be answered; raises ProtocolError."""
        token = _token(headers)
        if self._tokens is not None and self._tokens.whose(token) is not None:
            return
        if self._issuer is None:
            raise refused("the token is not known here")
        try:
            self._issuer.check(token)
        except ProtocolError:
            raise
        except Exception as error:
            # Whatever a stranger writes into a token is no fault of the server's.
            log.warning("a token cannot be read", extra={"error": type(error).__name__})
            raise refused("the token cannot be read") from None


def _token(headers: Iterable[Header]) -> bytes:
    values = [value for name, value in headers if name == b"authorization"]
    if not values:
        raise ProtocolError(
            401,
            "who asks must bear a token: send the header Authorization: Bearer <token>",
            headers=((b"www-authenticate", b"Bearer"),),
        )
    value = values[0]
    if len(values) > 1 or value[: len(_SCHEME)].lower() != _SCHEME:
        raise refused("the header must be sent once, as Authorization: Bearer <token>")
    if len(value) > MAX_TOKEN_BYTES:
        raise refused(f"the token is longer than {MAX_TOKEN_BYTES} bytes")
    return value[len(_SCHEME) :].strip()


def refused(why: str) -> ProtocolError:
    """The token says nothing that counts here."""
    # What is quoted may hold neither its own end nor a line's.
    plain = bytes(c if 0x20 <= c < 0x7F and c not in b'"\\' else 0x27 for c in why.encode())
    told = b'Bearer error="invalid_token", error_description="%s"' % plain
    return ProtocolError(401, why, headers=((b"www-authenticate", told),))


def forbidden(why: str) -> ProtocolError:
    """The token is good, and its bearer may not ask."""
    told = b'Bearer error="insufficient_scope"'
    return ProtocolError(403, why, headers=((b"www-authenticate", told),))
