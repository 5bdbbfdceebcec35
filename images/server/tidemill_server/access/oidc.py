"""Tokens that an issuer has signed: OpenID Connect's, which Kubernetes' service accounts bear, too.

A token is checked as RFC 8725 asks: by the issuer's public keys only, each for its own algorithm,
for one of the audiences wanted, in its time. One that was good is good for a minute without another
look at its signature.
"""

import hashlib
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import jwt

from tidemill_server.access.guard import forbidden, refused
from tidemill_server.access.issuer_keys import Keys

ALGORITHMS = frozenset({"RS256", "RS384", "RS512", "PS256", "PS384", "PS512"})
ALGORITHMS |= {"ES256", "ES384", "ES512", "EdDSA"}
LEEWAY_SECONDS = 30.0  # by which clocks may differ
REMEMBERED_SECONDS = 60.0
REMEMBERED = 1024
SHOWN_CHARS = 100


@dataclass
class Issuer:
    """Whose tokens count: for `audiences`, and of `subjects` only where there are any."""

    issuer: str
    audiences: tuple[str, ...]
    subjects: tuple[str, ...]
    keys: Keys
    clock: Callable[[], float] = time.time
    most: int = REMEMBERED
    _good: "OrderedDict[bytes, float]" = field(default_factory=OrderedDict)
    _generation: int = -1

    async def prepare(self) -> None:
        await self.keys.prepare()

    def check(self, token: bytes) -> None:
        """Return where its bearer may ask; raises ProtocolError."""
        digest = hashlib.sha256(token).digest()
        generation = self.keys.generation
        if generation != self._generation:
            self._generation = generation
            self._good.clear()
        until = self._good.get(digest)
        if until is not None and self.clock() < until:
            return
        claims = self._claims(token)
        subject = str(claims["sub"])
        if self.subjects and subject not in self.subjects:
            shown = subject[:SHOWN_CHARS].encode("ascii", "backslashreplace").decode()
            raise forbidden(f"{shown} may not ask this model")
        self._good[digest] = min(int(claims["exp"]), self.clock() + REMEMBERED_SECONDS)
        if len(self._good) > self.most:
            self._good.popitem(last=False)

    def _claims(self, token: bytes) -> dict[str, Any]:
        try:
            head = jwt.get_unverified_header(token)
        except jwt.PyJWTError:
            raise refused("the token is neither known here nor one that an issuer signs") from None
        algorithm = head.get("alg")
        if not isinstance(algorithm, str) or algorithm not in ALGORITHMS:
            raise refused("the token must be signed by a public key's algorithm, such as RS256")
        key = self.keys.find(head.get("kid"), algorithm)
        try:
            claims: dict[str, Any] = jwt.decode(
                token,
                key,
                algorithms=[algorithm],
                audience=self.audiences,
                issuer=self.issuer,
                leeway=LEEWAY_SECONDS,
                options={"require": ["exp", "sub", "aud", "iss"]},
            )
        except jwt.ExpiredSignatureError:
            raise refused("the token has expired: ask its issuer for another") from None
        except jwt.InvalidAudienceError:
            wanted = " or ".join(self.audiences)
            raise refused(f"the token is for another audience: it must be for {wanted}") from None
        except jwt.InvalidIssuerError:
            raise refused(f"the token is another issuer's: it must be {self.issuer}'s") from None
        except jwt.PyJWTError as error:
            raise refused(f"the token does not count: {type(error).__name__}") from None
        return claims
