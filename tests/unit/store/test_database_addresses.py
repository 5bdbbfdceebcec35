"""Which addresses a database may have."""

import pytest

from tidemill.store.addresses import AllowedNetworks
from tidemill.store.database_addresses import DatabaseAddresses, api_server

NONE = AllowedNetworks()


@pytest.mark.parametrize(
    "address",
    [
        *("8.8.8.8", "10.0.0.1", "172.16.3.4", "192.168.1.1", "198.18.0.1"),
        *("2606:2800:220:1::1", "fc00::1", "fd12::1", "::ffff:10.0.0.1"),
    ],
)
def test_public_and_private_networks_are_open(address: str) -> None:
    assert DatabaseAddresses(NONE, "10.96.0.1").permit(address)


@pytest.mark.parametrize(
    "address",
    [
        *("0.0.0.0", "100.100.100.200", "127.0.0.1", "127.9.9.9", "168.63.129.16"),
        *("169.254.169.254", "192.0.0.192", "224.0.0.1", "255.255.255.255", "10.96.0.1"),
        *("::", "::1", "::ffff:127.0.0.1", "::ffff:169.254.169.254", "::ffff:10.96.0.1"),
        *("64:ff9b::a9fe:a9fe", "64:ff9b:1::1", "2002:7f00:1::1", "fd00:ec2::254", "fe80::1"),
        *("fe80::1%eth0", "fd20:ce::254", "ff02::1", "no-address", ""),
    ],
)
def test_what_no_database_has_is_shut(address: str) -> None:
    assert not DatabaseAddresses(NONE, "10.96.0.1").permit(address)


def test_the_administrator_opens() -> None:
    allowed = AllowedNetworks.parse(["127.0.0.0/8", "10.96.0.1/32"])
    assert DatabaseAddresses(allowed, "10.96.0.1").permit("127.0.0.1")
    assert DatabaseAddresses(allowed, "10.96.0.1").permit("::ffff:10.96.0.1")
    assert not DatabaseAddresses(allowed, None).permit("169.254.169.254")


@pytest.mark.parametrize(
    ("host", "found"),
    [("10.96.0.1", "10.96.0.1"), ("fd00::1", "fd00::1"), ("api.example", None), (None, None)],
)
def test_the_api_server_is_where_the_pod_is_told(host: str | None, found: str | None) -> None:
    assert api_server({"KUBERNETES_SERVICE_HOST": host} if host else {}) == found
