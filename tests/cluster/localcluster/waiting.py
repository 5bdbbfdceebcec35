"""Waiting for a condition, with a limit."""

import time
from collections.abc import Callable

INTERVAL_SECONDS = 0.1


def wait_for(condition: Callable[[], bool], seconds: float) -> bool:
    """True as soon as the condition holds; False when it did not within the time."""
    limit = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > limit:
            return False
        time.sleep(INTERVAL_SECONDS)
    return True
