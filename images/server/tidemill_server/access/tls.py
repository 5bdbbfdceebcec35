"""TLS: certificate and key from a mounted Secret, read anew when they change, without a restart.

Every handshake asks for the context of the moment, so that a renewed certificate is what the next
client sees, and who is connected stays so. Where clients must prove themselves, too, the file of
the authorities that sign them is read in the same way.
"""

import logging
import ssl
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from cryptography import x509

from tidemill_server.watched import Watched

CERTIFICATE, KEY, AUTHORITIES = "tls.crt", "tls.key", "ca.crt"

log = logging.getLogger(__name__)


class _Material:
    """What one moment's files hold."""

    def __init__(self, folder: Path, *, clients: bool, protocols: Sequence[str]) -> None:
        self.context = context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.set_alpn_protocols(list(protocols))
        certificate, key = folder / CERTIFICATE, folder / KEY
        for file in (certificate, key):
            if not file.is_file():
                raise ValueError(f"{file.name} is not there")
        try:
            # A key that asks for a password would wait for one at a terminal.
            context.load_cert_chain(certificate, key, password=_no_password)
        except ssl.SSLError as error:
            why = f"{CERTIFICATE} and {KEY} are no certificate in PEM and its key: {error.reason}"
            raise ValueError(why) from None
        if clients:
            self._demand_certificates(folder / AUTHORITIES)
        self.expires = _expiry(certificate)

    def _demand_certificates(self, authorities: Path) -> None:
        if not authorities.is_file():
            raise ValueError(f"{AUTHORITIES} is not there, by which clients are known")
        context = self.context
        context.verify_mode = ssl.CERT_REQUIRED
        # A session that is taken up again would not be checked again. TLS 1.2 keeps some, whatever
        # it is told.
        context.num_tickets = 0
        context.minimum_version = ssl.TLSVersion.TLSv1_3
        try:
            context.load_verify_locations(authorities)
        except ssl.SSLError as error:
            why = f"{AUTHORITIES} has no certificates in PEM: {error.reason}"
            raise ValueError(why) from None


def _no_password() -> str:
    raise ValueError(f"{KEY} needs a password: store the key without one")


def _expiry(certificate: Path) -> float:
    """When the certificate ends, in seconds since 1970."""
    found = x509.load_pem_x509_certificate(certificate.read_bytes())
    return found.not_valid_after_utc.timestamp()


class Tls:
    """The contexts of one Secret. `clients`: they must show a certificate; raises ValueError."""

    def __init__(
        self,
        folder: Path,
        *,
        clients: bool = False,
        protocols: Sequence[str] = ("http/1.1",),
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        def read(path: Path) -> _Material:
            return _Material(path, clients=clients, protocols=protocols)

        self._material = Watched(folder, read, clock)
        # The first context only begins a handshake: the one of the moment goes on with it.
        self.context = self._material.now.context
        self.context.sni_callback = self._change

    @property
    def expires(self) -> float:
        """When the certificate of the moment ends, in seconds since 1970."""
        return self._material.now.expires

    def _change(self, connection: ssl.SSLObject, _name: str | None, _context: object) -> None:
        connection.context = self._material.now.context
