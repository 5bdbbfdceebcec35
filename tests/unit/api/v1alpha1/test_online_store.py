"""Where an online store may be said to be."""

import pytest
from pydantic import ValidationError

from tidemill.api.v1alpha1.online_store import OnlineStore


@pytest.mark.parametrize(
    ("address", "host", "port"),
    [
        ("redis:6379", "redis", 6379),
        ("redis.example.org:6379", "redis.example.org", 6379),
        ("10.0.0.7:1", "10.0.0.7", 1),
        ("[2001:db8::7]:65535", "2001:db8::7", 65535),
        ("[::ffff:10.0.0.7]:6379", "::ffff:10.0.0.7", 6379),
    ],
)
def test_an_address(address: str, host: str, port: int) -> None:
    store = OnlineStore(address=address)
    assert (store.host, store.port, store.tls) == (host, port, "VerifyFull")


@pytest.mark.parametrize(
    "address",
    [
        "",
        "redis",
        ":6379",
        "redis:",
        "redis:port",
        "redis:654321",
        "redis://redis:6379",
        "user:hush@redis:6379",
        "2001:db8::7:6379",
        "[redis]:6379",
        "re dis:6379",
        "-redis:6379",
        "redis:6379/0",
        "redis:6379\n",
    ],
)
def test_what_is_no_address_is_refused(address: str) -> None:
    with pytest.raises(ValidationError):
        OnlineStore(address=address)
