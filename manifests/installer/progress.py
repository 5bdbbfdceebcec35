"""Lines that tell a waiting person what is being done, and how long it has taken or may take."""

import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

TICK_SECONDS = 10.0


def say(text: str) -> None:
    """Write a line for people."""
    sys.stderr.write(f"{text}\n")
    sys.stderr.flush()


@contextmanager
def step(what: str, about: float) -> Iterator[None]:
    """Tell that a step is on, every ten seconds while it lasts, and how long it took."""
    began = time.monotonic()
    ended = threading.Event()

    def tick() -> None:
        while not ended.wait(TICK_SECONDS):
            say(f"{what}: {time.monotonic() - began:.0f} s of about {about:.0f} s")

    ticker = threading.Thread(target=tick, daemon=True)
    ticker.start()
    outcome = "failed after"
    try:
        yield
        outcome = "done in"
    finally:
        ended.set()
        ticker.join()
        say(f"{what}: {outcome} {time.monotonic() - began:.1f} s")
