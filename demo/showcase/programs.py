"""Runs the project's other programs; they tell their progress themselves, on the same terminal."""

import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from .failure import DemoError

ROOT = Path(__file__).resolve().parent.parent.parent


def say(text: str = "") -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


@contextmanager
def step(number: int, of: int, what: str) -> Iterator[None]:
    """Names a step before it begins and when it fails."""
    began = time.monotonic()
    say(f"[{number}/{of}] {what}")
    try:
        yield
    except DemoError as error:
        raise DemoError(f"step {number}, {what!r}, failed.\n{error}") from error
    say(f"[{number}/{of}] {what}: {time.monotonic() - began:.0f} s")


def run(*command: str, environment: Mapping[str, str] | None = None) -> None:
    """Runs a program of this tree; what it writes is seen as it is written."""
    done = subprocess.run(command, cwd=ROOT, env=environment, check=False)
    if done.returncode != 0:
        raise DemoError(f"`{' '.join(command)}` ended with {done.returncode}; see above.")


def read(*command: str, given: str | None = None) -> str:
    """Runs a program for what it says."""
    done = _completed(command, given)
    if done.returncode != 0:
        raise DemoError(f"`{' '.join(command)}`: {done.stderr.strip()}")
    return done.stdout


def _completed(command: Sequence[str], given: str | None) -> subprocess.CompletedProcess[str]:
    try:
        return subprocess.run(
            command, cwd=ROOT, input=given, text=True, capture_output=True, check=False
        )
    except FileNotFoundError as error:
        raise DemoError(f"{command[0]} is not there: {error}") from error
