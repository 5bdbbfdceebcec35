"""The address by which pods reach what runs on this machine, where it is a node of the cluster."""

import socket

import pytest
from tests.apiserver.kubectl import Kubectl


def node_address(kubectl: Kubectl) -> str:
    """Give it; skips the test where there is none."""
    for node in kubectl.get("nodes")["items"]:
        for address in node["status"].get("addresses", ()):
            found: str = address["address"]
            if address["type"] == "InternalIP" and _is_here(found):
                return found
    pytest.skip(
        "this machine is no node of the cluster: pods reach neither its servers nor its files"
    )


def _is_here(address: str) -> bool:
    with socket.socket() as probe:
        try:
            probe.bind((address, 0))
        except OSError:
            return False
        return True
