"""Lines that tell a waiting person what is done, since when, and for about how long."""

import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

TICK_SECONDS = 10.0


def say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def duration(seconds: float) -> str:
    if seconds < 100:
        return f"{seconds:.1f} s" if seconds < 10 else f"{seconds:.0f} s"
    return f"{int(seconds) // 60} min {int(seconds) % 60:02d} s"


@contextmanager
def step(what: str, about: float) -> Iterator[None]:
    """Announces a long step, repeats itself while it lasts, and says how long it took."""
    began = time.monotonic()
    ended = threading.Event()

    def tick() -> None:
        while not ended.wait(TICK_SECONDS):
            say(f"{what}: {duration(time.monotonic() - began)} of about {duration(about)}")

    say(f"{what}: about {duration(about)}")
    ticker = threading.Thread(target=tick, daemon=True)
    ticker.start()
    try:
        yield
    finally:
        ended.set()
        ticker.join()
    say(f"{what}: done in {duration(time.monotonic() - began)}")
