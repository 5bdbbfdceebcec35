"""What a PostgreSQL server's refusals mean: a documented reason, and words without secrets.

The server's own words are shown where they are about the query. What it quotes while the query runs
may be a value of the data, and what it says of a login is about credentials: neither is shown.
"""

import re
import ssl
from collections.abc import Iterable
from enum import StrEnum

from asyncpg import PostgresError
from asyncpg.exceptions import InterfaceError, InternalClientError

FIELD = "spec.source.sql"
SETTING = "TIDEMILL_HTTP_ALLOWED_NETWORKS"
MAX_WORDS = 600
LONG = 8
_QUOTED = re.compile(r'"[^"]*"|\'[^\']*\'|«[^»]*»|„[^“]*“')
# Classes of SQLSTATE, or whole ones, whose cause passes by itself.
_PASSING = ("08", "40", "53", "55", "57", "58", "72", "F0", "XX")
_CANCELLED, _NO_DATABASE, _NO_RIGHT, _READ_ONLY = "57014", "3D000", "42501", "25006"
# Of what follows, the words are about the query: syntax and names, data, cardinality, features.
_TELLING = ("42", "22", "21", "0A", "25")


class DatabaseReason(StrEnum):
    """Why rows cannot be had, as the documented reasons of the API."""

    QUERY = "QueryInvalid"
    UNAVAILABLE = "SourceUnavailable"
    MISSING = "SourceMissing"
    DENIED = "AccessDenied"
    FORBIDDEN = "AddressForbidden"
    INVALID = "SpecInvalid"


class DatabaseError(Exception):
    """The rows cannot be had; the message names the field and the way out."""

    def __init__(self, reason: DatabaseReason, message: str) -> None:
        super().__init__(message)
        self.reason = reason
        self.message = message


def unavailable(where: str, why: str) -> DatabaseError:
    """Say that nobody answers; it is tried again."""
    return DatabaseError(DatabaseReason.UNAVAILABLE, f"{where}: {why}; it is tried again")


def query_invalid(what: str) -> DatabaseError:
    """Say what is wrong with the query."""
    return DatabaseError(DatabaseReason.QUERY, f"{FIELD}.query: {what}")


def of_login(error: BaseException, where: str, secret: str) -> DatabaseError:
    """Translate what ends the making of a connection."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return unavailable(
            where,
            "the server's certificate is not trusted for this host "
            f"({error.verify_message}): put its authority into the key ca.crt of the Secret "
            f"{secret}, or name the host as the certificate does",
        )
    if isinstance(error, PostgresError):
        return _refused_login(error, where, secret)
    if isinstance(error, ssl.SSLError):
        return unavailable(where, "the server and Tidemill agree on no way of encryption (TLS)")
    if isinstance(error, ConnectionError) and "SSL" in str(error):
        return unavailable(where, f"the server does not offer TLS: set it up, or {FIELD}.tls")
    if isinstance(error, TimeoutError):
        return unavailable(where, "no answer in time")
    if isinstance(error, (InterfaceError, InternalClientError)):
        return unavailable(where, f"the server is no PostgreSQL that is known ({_kind(error)})")
    return unavailable(where, f"the server does not answer ({_kind(error)})")


def _refused_login(error: PostgresError, where: str, secret: str) -> DatabaseError:
    state = _state(error)
    if state == _NO_DATABASE:
        message = f"{where}: there is no such database: create it, or correct {FIELD}.database"
        return DatabaseError(DatabaseReason.MISSING, message)
    if state.startswith("28") or state == _NO_RIGHT:
        message = (
            f"{where}: the server refuses the login (SQLSTATE {state}): correct username and "
            f"password in the Secret {secret}, or let the user connect from here to this database"
        )
        return DatabaseError(DatabaseReason.DENIED, message)
    return unavailable(where, f"the server refuses the connection now (SQLSTATE {state})")


def of_query(error: BaseException, where: str, query: str, secrets: Iterable[str]) -> DatabaseError:
    """Translate what the server says of the query itself, before it runs."""
    if not isinstance(error, PostgresError):
        return of_run(error, where, secrets)
    state = _state(error)
    if state.startswith(_TELLING) and state != _NO_RIGHT:
        said = without(_words(error), secrets)
        return query_invalid(f"{said}{_place(error, query)} (SQLSTATE {state})")
    return of_run(error, where, secrets)


def of_run(error: BaseException, where: str, secrets: Iterable[str]) -> DatabaseError:
    """Translate what ends a query that runs."""
    if not isinstance(error, PostgresError):
        return unavailable(where, f"the connection broke off ({_kind(error)})")
    state = _state(error)
    said = without(_QUOTED.sub("…", _words(error)), secrets)
    if state == _NO_RIGHT:
        message = f"{where}: {said} (SQLSTATE {state}): grant it to the user, or ask for less"
        return DatabaseError(DatabaseReason.DENIED, message)
    if state == _READ_ONLY:
        return query_invalid(f"{said} (SQLSTATE {state}): it may only read")
    if state == _CANCELLED:
        return query_invalid(
            f"the server ended it (SQLSTATE {state}), as it took too long or somebody asked for "
            "that: make it cheaper, by an index or fewer rows"
        )
    if state.startswith(_PASSING):
        return unavailable(where, f"the server broke off (SQLSTATE {state})")
    if state.startswith(_TELLING):
        return query_invalid(f"{said} (SQLSTATE {state}): mend the query or the rows")
    return query_invalid(f"it fails with SQLSTATE {state} ({_kind(error)})")


def without(text: str, secrets: Iterable[str]) -> str:
    """Take values of credentials out of a text; short ones, which parts of words are, as words."""
    for secret in sorted(filter(None, secrets), key=len, reverse=True):
        found = re.escape(secret)
        pattern = found if len(secret) >= LONG else rf"(?<!\w){found}(?!\w)"
        text = re.sub(pattern, "…", text, flags=re.IGNORECASE)
    return text


def _place(error: PostgresError, query: str) -> str:
    """Say where in the query: the server counts characters, people count lines."""
    position = str(error.position or "")
    if not position.isdecimal() or not 0 < int(position) <= len(query) + 1:
        return ""
    before = query[: int(position) - 1]
    line, column = before.count("\n") + 1, len(before) - (before.rfind("\n") + 1) + 1
    return f" at line {line}, column {column}"


def _words(error: PostgresError) -> str:
    lines = str(error.args[0] if error.args else "").splitlines()
    return lines[0][:MAX_WORDS] if lines else "it is refused"


def _state(error: PostgresError) -> str:
    return str(error.sqlstate or "00000")


def _kind(error: BaseException) -> str:
    return type(error).__name__
