"""Which addresses a user's URL may lead to: the public internet, and what the administrator adds.

A URL in a spec is fetched by the operator and by a Job, which both reach places that its author may
not: metadata services, other namespaces, the node. So every address outside of the public internet
is refused unless its network is on the administrator's list. The list of special networks is
IANA's (RFC 6890 and its registries), written out: what Python takes for public depends on its
version.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from ipaddress import (
    IPv4Address,
    IPv4Network,
    IPv6Address,
    IPv6Network,
    ip_address,
    ip_network,
)

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

_SPECIAL: tuple[Network, ...] = tuple(
    ip_network(text)
    for text in (
        "0.0.0.0/8",  # this host
        "10.0.0.0/8",  # private
        "100.64.0.0/10",  # shared by providers, used by clouds for their metadata
        "127.0.0.0/8",  # loopback
        "169.254.0.0/16",  # link-local, metadata of clouds
        "172.16.0.0/12",  # private
        "192.0.0.0/24",  # protocol assignments
        "192.0.2.0/24",  # documentation
        "192.88.99.0/24",  # 6to4 relays
        "192.168.0.0/16",  # private
        "198.18.0.0/15",  # benchmarks
        "198.51.100.0/24",  # documentation
        "203.0.113.0/24",  # documentation
        "224.0.0.0/4",  # multicast
        "240.0.0.0/4",  # reserved, broadcast
        "2001::/23",  # protocol assignments: Teredo, ORCHID
        "2001:db8::/32",  # documentation
        "2002::/16",  # 6to4, leads to any IPv4 address
        "3fff::/20",  # documentation
    )
)
_UNICAST = IPv6Network("2000::/3")  # all of IPv6 that is handed out as public
_MAPPED = IPv6Network("::ffff:0:0/96")
_TRANSLATED = IPv6Network("64:ff9b::/96")  # NAT64: how IPv4 is reached from IPv6 alone


@dataclass(frozen=True)
class AllowedNetworks:
    """The networks that the administrator opens beside the public internet."""

    networks: tuple[Network, ...] = ()

    @classmethod
    def parse(cls, texts: Iterable[str]) -> "AllowedNetworks":
        """Read CIDRs such as 10.1.0.0/16; raises ValueError naming what is none."""
        return cls(tuple(ip_network(text) for text in texts))

    def permit(self, text: str) -> bool:
        """Tell whether a numeric address, as a resolver gives it, may be connected to."""
        try:
            address = ip_address(text.partition("%")[0])
        except ValueError:
            return False
        return self.name(address) or _public(unwrapped(address))

    def name(self, address: Address) -> bool:
        """Tell whether an address is in a network of the administrator's list."""
        meant = unwrapped(address)
        return any(each in network for network in self.networks for each in (address, meant))


def unwrapped(address: Address) -> Address:
    """Give the IPv4 address that an IPv6 address stands for."""
    wraps = isinstance(address, IPv6Address) and (address in _MAPPED or address in _TRANSLATED)
    return IPv4Address(int(address) & 0xFFFFFFFF) if wraps else address


def _public(address: Address) -> bool:
    if isinstance(address, IPv6Address) and address not in _UNICAST:
        return False
    return not any(address in network for network in _SPECIAL)
