"""Keys: each namespace and each object under a prefix that no other shares."""

import pytest

from tidemill.store import layout

HEX = "a" * 64


def test_every_key() -> None:
    digest = f"sha256:{HEX}"
    assert layout.manifest_key("ns", "d", digest) == f"datasets/ns/d/manifests/{HEX}.jsonl"
    assert layout.cas_key(layout.cas_prefix("ns"), digest) == f"cas/ns/sha256/{HEX}"
    assert layout.run_prefix("ns", "u") == "runs/ns/u/"
    assert layout.package_prefix("ns", "m", digest) == f"models/ns/m/{HEX}/"


@pytest.mark.parametrize(
    "prefix",
    [
        layout.dataset_prefix("ns", "d"),
        layout.cas_prefix("ns"),
        layout.run_prefix("ns", "u"),
        layout.model_prefix("ns", "m"),
    ],
)
def test_a_prefix_never_covers_a_longer_name(prefix: str) -> None:
    assert prefix.endswith("/")
    assert "/ns/" in prefix


def test_addresses() -> None:
    assert layout.uri("b", "k/x") == "s3://b/k/x"
    assert layout.parse_uri("s3://b/k/x") == ("b", "k/x")
    assert layout.parse_uri("s3://b") == ("b", "")


@pytest.mark.parametrize("text", ["", "b/k", "http://b/k", "s3://", "s3:///k"])
def test_what_is_no_address_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="s3://"):
        layout.parse_uri(text)
