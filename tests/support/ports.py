"""Ports for servers that tests start by themselves."""

import os
import random
import socket

# Below the local cluster's (20000) and those that the kernel gives to whoever connects (32768):
# of these one that is free now may be somebody's a moment later, or while its server is stopped.
RANGE = range(10_000, 20_000)
_given: set[int] = set()


def free_port(host: str = "127.0.0.1") -> int:
    """Give a port that nobody listens on, and that was not given before in this process."""
    chance = random.Random(os.urandom(8))  # whatever a test has seeded
    for port in chance.sample(RANGE, len(RANGE)):
        if port in _given:
            continue
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((host, port))
            except OSError:
                continue
        _given.add(port)
        return port
    raise RuntimeError(f"no free port between {RANGE.start} and {RANGE.stop}")
