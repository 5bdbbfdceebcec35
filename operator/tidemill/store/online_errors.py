"""What the refusals of an online store mean: a documented reason, and words without secrets.

Of what the server says only the code is shown, such as NOPERM: the rest may quote what it was sent,
and that may be a password or a value of the data.
"""

import asyncio
import re
import socket
import ssl
from enum import StrEnum

from redis import exceptions

from tidemill.store.online_server import SETTING, AddressRefused, OnlineServer, chain

FIELD = "spec.online"
# What a client's calls may raise.
ERRORS = (
    exceptions.RedisError,
    AddressRefused,
    OSError,
    TimeoutError,
    asyncio.IncompleteReadError,
)
_CODE = re.compile(r"[A-Z][A-Z-]{1,23}(?![^ ])")


class OnlineReason(StrEnum):
    """Why an online store cannot be used, as the documented reasons of the API."""

    UNAVAILABLE = "OnlineStoreUnavailable"
    FULL = "OnlineStoreFull"
    DENIED = "AccessDenied"
    FORBIDDEN = "AddressForbidden"
    INVALID = "SpecInvalid"


class OnlineError(Exception):
    """The online store cannot be used; the message names the field and the way out."""

    def __init__(self, reason: OnlineReason, message: str) -> None:
        super().__init__(message)
        self.reason = reason
        self.message = message


def unavailable(where: str, why: str) -> OnlineError:
    """Say that nobody answers; it is tried again."""
    return OnlineError(OnlineReason.UNAVAILABLE, f"{where}: {why}; it is tried again")


def of(error: BaseException, server: OnlineServer, secret: str | None) -> OnlineError:
    """Translate what a client raises."""
    where = f"the online store at {server.where}"
    causes = chain(error)
    if any(isinstance(one, AddressRefused) for one in causes):
        message = (
            f"{FIELD}.address: {where} has an address that is loopback, link-local, of a cloud's "
            "metadata or the API server's: use the store's own address, or have the "
            f"administrator allow its network with {SETTING}"
        )
        return OnlineError(OnlineReason.FORBIDDEN, message)
    if found := next((one for one in causes if isinstance(one, ssl.SSLError)), None):
        return _encryption(found, where, secret)
    if any(isinstance(one, (socket.gaierror, UnicodeError)) for one in causes):
        return unavailable(where, "the name of the host is not known")
    if isinstance(error, (exceptions.TimeoutError, TimeoutError)) and server.tls != "Disable":
        why = f"no answer in time; if it does not speak TLS, set {FIELD}.tls to Disable"
        return unavailable(where, why)
    return _refusal(error, where, secret)


def _refusal(error: BaseException, where: str, secret: str | None) -> OnlineError:
    if isinstance(error, (exceptions.AuthenticationError, exceptions.AuthorizationError)):
        return _login(where, secret)
    if isinstance(error, exceptions.NoPermissionError):
        user = f"of the Secret {secret}" if secret else "without a name"
        message = (
            f"{where}: the user {user} lacks a right (NOPERM): let it do GET, SET, DEL, PEXPIREAT, "
            "EVAL and SCAN for the keys tidemill:*"
        )
        return OnlineError(OnlineReason.DENIED, message)
    if isinstance(error, (exceptions.AskError, exceptions.ClusterError)):
        message = (
            f"{FIELD}.address: {where} is one of a cluster of several: name a single server, or a "
            "proxy that hides the cluster"
        )
        return OnlineError(OnlineReason.INVALID, message)
    if isinstance(error, exceptions.OutOfMemoryError):
        message = f"{where}: its memory is full: raise maxmemory, or keep less by {FIELD}.ttl"
        return OnlineError(OnlineReason.FULL, message)
    return unavailable(where, _why(error))


def _why(error: BaseException) -> str:
    if isinstance(error, exceptions.ReadOnlyError):
        return "it only reads, as a replica does: name the primary server"
    if isinstance(error, exceptions.BusyLoadingError):
        return "the server is loading its data"
    if isinstance(error, exceptions.ResponseError):
        code = _CODE.match(str(error))
        return f"the server refuses the call ({code[0] if code else 'no code'})"
    if isinstance(error, (exceptions.TimeoutError, TimeoutError)):
        return "no answer in time"
    if isinstance(error, exceptions.InvalidResponse):
        return "the server does not speak Redis' protocol"
    if isinstance(error, exceptions.ConnectionError) and not _unreached(error):
        return f"the server closes the connection: if it wants TLS, correct {FIELD}.tls"
    return "the server does not answer"


def _unreached(error: BaseException) -> bool:
    broken = ConnectionResetError, BrokenPipeError, asyncio.IncompleteReadError
    return any(isinstance(one, OSError) and not isinstance(one, broken) for one in chain(error))


def _login(where: str, secret: str | None) -> OnlineError:
    fix = f"correct username and password in the Secret {secret}"
    if secret is None:
        fix = f"name a Secret with the key password in {FIELD}.credentialsRef"
    return OnlineError(OnlineReason.DENIED, f"{where}: the server refuses the login: {fix}")


def _encryption(error: ssl.SSLError, where: str, secret: str | None) -> OnlineError:
    if isinstance(error, ssl.SSLCertVerificationError):
        keep = f"the key ca.crt of the Secret {secret}"
        if secret is None:
            keep = f"the key ca.crt of a Secret, named in {FIELD}.credentialsRef"
        message = (
            f"{where}: the server's certificate is not trusted for this host "
            f"({error.verify_message}): put its authority into {keep}, or name the host as the "
            "certificate does"
        )
        return OnlineError(OnlineReason.DENIED, message)
    if "PEM" in str(error) or "cadata" in str(error):
        message = f"the key ca.crt of the Secret {secret} holds no certificate in PEM: correct it"
        return OnlineError(OnlineReason.DENIED, message)
    message = f"{where}: the server speaks no TLS that is known: set it up, or {FIELD}.tls"
    return OnlineError(OnlineReason.DENIED, message)
