"""Shows how the objects come along, until all say that they are done or one that it cannot."""

import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from .cluster import Cluster
from .failure import DemoError

SUMMARY = {"Dataset": "Ready", "TrainingRun": "Succeeded", "ModelDeployment": "Ready"}
LIMIT_SECONDS = 600.0
PERIOD_SECONDS = 1.0
STALLED_PATIENCE = 20.0  # what is missing for a moment may be on its way
ABOUT = {"Dataset": 20, "TrainingRun": 30, "ModelDeployment": 25}  # seconds, for who waits
CLEAR_LINE, LINE_UP = "\x1b[2K", "\x1b[A"


@dataclass(frozen=True)
class View:
    """One object as a line: how it is, why, and what it says."""

    kind: str
    name: str
    status: str
    reason: str
    message: str
    stalled: bool

    @property
    def done(self) -> bool:
        return self.status == "True"

    def line(self) -> str:
        mark = "ok" if self.done else "!!" if self.stalled else ".."
        return f"  {mark} {self.kind + '/' + self.name:28} {self.reason:22} {self.message}"


def view(kind: str, name: str, body: Mapping[str, Any] | None) -> View:
    """Reads the summary condition and the progress of one of the three kinds."""
    status = (body or {}).get("status", {})
    conditions = {one["type"]: one for one in status.get("conditions", [])}
    found = conditions.get(SUMMARY[kind], {})
    stalled = conditions.get("Stalled", {}).get("status") == "True"
    message = found.get("message", "not seen by the operator yet")
    progress = status.get("progress")
    if progress and found.get("status") != "True":
        eta = f", {progress['eta']} to go" if progress.get("eta") else ""
        message = f"{progress.get('percent', 0)} %: {progress.get('message', '')}{eta}"
    return View(
        kind, name, found.get("status", "Unknown"), found.get("reason", "-"), message, stalled
    )


class Screen:
    """Rewrites its lines on a terminal; elsewhere it writes a line when something changed."""

    def __init__(self, terminal: bool, columns: int = 150) -> None:
        self._terminal = terminal
        self._columns = columns
        self._shown: list[str] = []

    def show(self, views: Sequence[View], seconds: float) -> None:
        lines = [one.line()[: self._columns] for one in views]
        if not self._terminal:
            for line in lines:
                if line not in self._shown:
                    sys.stdout.write(f"{line} ({seconds:.0f} s)\n")
            self._shown = lines
        else:
            up = LINE_UP * (len(self._shown))
            elapsed = f"     {seconds:.0f} s of about {sum(ABOUT.values())} s"
            self._shown = [*lines, elapsed]
            sys.stdout.write(up + "".join(f"{CLEAR_LINE}{line}\n" for line in self._shown))
        sys.stdout.flush()


def until_done(
    cluster: Cluster,
    objects: Sequence[tuple[str, str]],
    *,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> None:
    """Returns when all are done; raises when one stays stalled, or when it takes too long."""
    screen = Screen(sys.stdout.isatty())
    began = stalled_since = clock()
    while True:
        views = [view(kind, name, cluster.get(kind, name)) for kind, name in objects]
        now = clock()
        screen.show(views, now - began)
        if all(one.done for one in views):
            return
        stalled = [one for one in views if one.stalled]
        stalled_since = stalled_since if stalled else now
        if stalled and now - stalled_since > STALLED_PATIENCE:
            raise DemoError("\n".join(f"{one.reason}: {one.message}" for one in stalled))
        if now - began > LIMIT_SECONDS:
            waiting = ", ".join(f"{one.kind}/{one.name}" for one in views if not one.done)
            raise DemoError(f"{waiting} not done after {LIMIT_SECONDS:.0f} s")
        sleep(PERIOD_SECONDS)
