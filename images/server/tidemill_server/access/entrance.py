"""What the settings say of access, made into what stands before the server."""

from typing import TYPE_CHECKING

from tidemill_server.access.cors import Shared
from tidemill_server.access.guard import Guard
from tidemill_server.access.guarded import Guarded, Served
from tidemill_server.access.tokens import Tokens
from tidemill_server.accounts import Accounts
from tidemill_server.exits import SPEC_INVALID, Exit, Refused
from tidemill_server.rest.terms import Answerer
from tidemill_server.settings import Access, Oidc

if TYPE_CHECKING:
    from tidemill_server.access.issuer_keys import Keys
    from tidemill_server.access.oidc import Issuer
    from tidemill_server.access.tls import Tls


def guard_of(access: Access) -> Guard | None:
    """Who checks who asks; None where anybody may. Raises Refused."""
    if access.tokens is None and access.oidc is None:
        return None
    try:
        tokens = Tokens(access.tokens) if access.tokens else None
    except (OSError, ValueError) as error:
        raise _unusable("TIDEMILL_TOKENS", error) from None
    return Guard(tokens, _issuer(access.oidc) if access.oidc else None)


def _issuer(oidc: Oidc) -> "Issuer":
    # What checks signatures takes a third of a second to import.
    from tidemill_server.access.oidc import Issuer  # noqa: PLC0415

    return Issuer(oidc.issuer, oidc.audiences, oidc.subjects, _keys(oidc))


def _keys(oidc: Oidc) -> "Keys":
    from tidemill_server.access import issuer_keys  # noqa: PLC0415

    if oidc.keys is not None:
        try:
            return issuer_keys.MountedKeys(oidc.keys)
        except (OSError, ValueError) as error:
            raise _unusable("TIDEMILL_OIDC_KEYS", error) from None
    from tidemill.store.addresses import AllowedNetworks  # noqa: PLC0415
    from tidemill.store.database_addresses import DatabaseAddresses, api_server  # noqa: PLC0415
    from tidemill_server.access.fetching import Fetcher  # noqa: PLC0415

    addresses = DatabaseAddresses(AllowedNetworks.parse(oidc.networks), api_server())
    return issuer_keys.IssuersKeys(oidc.issuer, Fetcher(oidc.authorities, addresses.permit))


def before(app: Served, access: Access, guard: Guard | None, accounts: Accounts) -> Answerer:
    """What REST's front asks: the server, or who stands before it."""
    answerer: Answerer = app
    if guard is not None:
        answerer = Guarded(app, guard, accounts)
    if access.origins:
        answerer = Shared(answerer, access.origins)
    return answerer


def tls_of(access: Access, protocol: str) -> "Tls | None":
    """The certificates of a front that speaks this protocol; None without TLS. Raises Refused."""
    if access.tls is None:
        return None
    from tidemill_server.access.tls import Tls  # noqa: PLC0415

    try:
        return Tls(access.tls, clients=access.clients, protocols=(protocol,))
    except (OSError, ValueError) as error:
        raise _unusable("TIDEMILL_TLS", error) from None


def _unusable(name: str, error: Exception) -> Refused:
    why = f"the files of {name} cannot be used: {error}"
    return Refused(SPEC_INVALID, why, Exit.USER_ERROR)
