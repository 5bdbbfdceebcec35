"""Which addresses a user's URL may lead to."""

import pytest

from tidemill.store.addresses import AllowedNetworks


@pytest.mark.parametrize(
    "address", ["8.8.8.8", "93.184.216.34", "172.32.0.1", "2606:2800:220:1::1", "64:ff9b::808:808"]
)
def test_the_public_internet_is_open(address: str) -> None:
    assert AllowedNetworks().permit(address)


@pytest.mark.parametrize(
    "address",
    [
        "0.0.0.0",
        "10.0.0.1",
        "100.100.100.200",
        "127.0.0.1",
        "127.255.255.254",
        "169.254.169.254",
        "172.16.0.1",
        "172.31.255.255",
        "192.0.0.192",
        "192.168.1.1",
        "198.18.0.1",
        "224.0.0.1",
        "239.255.255.250",
        "240.0.0.1",
        "255.255.255.255",
        "::",
        "::1",
        "::ffff:127.0.0.1",
        "::ffff:169.254.169.254",
        "::127.0.0.1",
        "64:ff9b::a00:1",
        "64:ff9b:1::a00:1",
        "fc00::1",
        "fd00:ec2::254",
        "fe80::1",
        "fe80::1%eth0",
        "ff02::1",
        "2001::1",
        "2001:db8::1",
        "2002:7f00:1::1",
        "no-address",
        "",
    ],
)
def test_what_lies_inside_is_closed(address: str) -> None:
    assert not AllowedNetworks().permit(address)


@pytest.mark.parametrize(
    ("network", "address", "open_"),
    [
        ("10.1.0.0/16", "10.1.2.3", True),
        ("10.1.0.0/16", "10.2.0.1", False),
        ("10.1.0.0/16", "::ffff:10.1.2.3", True),
        ("10.1.2.3", "10.1.2.3", True),
        ("fd00::/8", "fd00::1", True),
        ("64:ff9b::/96", "64:ff9b::a00:1", True),
        ("0.0.0.0/0", "fd00::1", False),
    ],
)
def test_the_administrator_opens_networks(network: str, address: str, open_: bool) -> None:
    allowed = AllowedNetworks.parse([network])
    assert allowed.permit(address) is open_
    assert allowed.permit("8.8.8.8")


@pytest.mark.parametrize("text", ["10.0.0.1/8", "x", "10.0.0.0/33", "example.org"])
def test_what_is_no_network_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=text.split("/", maxsplit=1)[0]):
        AllowedNetworks.parse([text])
