"""Which addresses a database may have: public and private ones, never the machine's own.

Databases are in private networks, so those are open, unlike for a URL. What no database of a user
has is refused unless the administrator names it: the pod itself, its node by link-local addresses,
the metadata of clouds, the API server.
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from ipaddress import ip_address, ip_network

from tidemill.store.addresses import AllowedNetworks, Network, unwrapped

_NEVER: tuple[Network, ...] = tuple(
    ip_network(text)
    for text in (
        "0.0.0.0/8",  # this host
        "100.64.0.0/10",  # shared by providers, used by clouds for their metadata
        "127.0.0.0/8",  # loopback
        "168.63.129.16/32",  # Azure's platform
        "169.254.0.0/16",  # link-local, metadata of clouds
        "192.0.0.0/24",  # protocol assignments, Oracle's metadata
        "224.0.0.0/4",  # multicast
        "240.0.0.0/4",  # reserved, broadcast
        "::/127",  # unspecified, loopback
        "2001::/23",  # Teredo and the like, lead to other addresses
        "2002::/16",  # 6to4, leads to any IPv4 address
        "64:ff9b:1::/48",  # translation that is local, leads to any IPv4 address
        "fd00:ec2::/32",  # AWS' metadata
        "fd20:ce::254/128",  # Google's metadata
        "fe80::/10",  # link-local
        "fec0::/10",  # site-local, of old
        "ff00::/8",  # multicast
    )
)


@dataclass(frozen=True)
class DatabaseAddresses:
    """What the administrator opens, and the API server, which stays shut."""

    allowed: AllowedNetworks
    api_server: str | None = None

    def permit(self, text: str) -> bool:
        """Tell whether a numeric address, as a resolver gives it, may be connected to."""
        try:
            address = ip_address(text.partition("%")[0])
        except ValueError:
            return False
        if self.allowed.name(address):
            return True
        meant = unwrapped(address)
        if self.api_server is not None and meant == unwrapped(ip_address(self.api_server)):
            return False
        return not any(each in network for network in _NEVER for each in (address, meant))


def api_server(environment: Mapping[str, str] = os.environ) -> str | None:
    """Find the API server's address, as Kubernetes tells it every pod."""
    host = environment.get("KUBERNETES_SERVICE_HOST", "")
    try:
        return str(ip_address(host))
    except ValueError:
        return None  # a name, or no pod
