"""Progress, told to the operator: at most once a second, from a thread, and never in the way.

Only the newest report counts. A report that cannot be delivered is dropped; after a failure the
thread waits longer, so that a run does not hang on an operator that is away.
"""

import json
import logging
import threading
import time
import urllib.request
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

log = logging.getLogger(__name__)

INTERVAL = 1.0
PAUSE_AFTER_FAILURE = 10.0
TIMEOUT = 3.0

Send = Callable[[Mapping[str, Any]], None]


@dataclass(frozen=True)
class Subject:
    """Whose progress it is."""

    kind: str
    namespace: str
    name: str
    uid: str


class Progress:
    """Reports of one run; use as a context, so that the thread ends with it."""

    def __init__(
        self, subject: Subject, send: Send | None, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._subject = subject
        self._send = send
        self._clock = clock
        self._latest: dict[str, Any] | None = None
        self._changed = threading.Condition()
        self._closed = False
        self._told: dict[str, str] = {}
        self._thread = threading.Thread(target=self._deliver, name="progress", daemon=True)

    def __enter__(self) -> "Progress":
        if self._send is not None:
            self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        with self._changed:
            self._closed = True
            self._changed.notify()
        if self._thread.is_alive():
            self._thread.join(TIMEOUT)

    def report(self, percent: float, message: str, eta_seconds: float | None = None) -> None:
        """Say how far the run is; returns at once."""
        body = {
            "kind": self._subject.kind,
            "namespace": self._subject.namespace,
            "name": self._subject.name,
            "uid": self._subject.uid,
            "percent": min(100, max(0, int(percent))),
            "message": message[:256],
            "etaSeconds": None if eta_seconds is None else max(0, round(eta_seconds)),
            **self._told,
        }
        with self._changed:
            self._latest = body
            self._changed.notify()

    def step(self, name: str) -> None:
        """Say which part of the work begins; it goes with the next report."""
        self._told["step"] = name[:64]

    def measured(self, name: str, value: float) -> None:
        """Say what was measured last; it goes with the next report."""
        self._told["metric"] = f"{name}={value:.4g}"[:64]

    def share(self, span: tuple[float, float], message: str, of: int) -> Callable[[int], None]:
        """A callback that takes what is done of `of` and reports it within a span of percents."""
        started = self._clock()

        def done(amount: int) -> None:
            part = amount / of if of else 1.0
            elapsed = self._clock() - started
            # An estimate from the first moments would only mislead.
            eta = elapsed / part - elapsed if part > 0.02 and elapsed > 1 else None
            self.report(span[0] + (span[1] - span[0]) * part, message, eta)

        return done

    def _deliver(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._latest is not None or self._closed)
                body, self._latest = self._latest, None
                if body is None:
                    return
            pause = INTERVAL
            # Progress must never fail a run, whatever goes wrong here.
            try:
                if self._send is not None:
                    self._send(body)
            except Exception as error:
                log.debug("progress not delivered: %s", error)
                pause = PAUSE_AFTER_FAILURE
            with self._changed:
                self._changed.wait_for(lambda: self._closed, timeout=pause)


def sender(url: str | None, token_file: Path) -> Send | None:
    """Posts reports to the operator at `url`; None where there is nobody to tell."""
    if not url or not url.startswith(("http://", "https://")):
        return None

    def send(body: Mapping[str, Any]) -> None:
        token = token_file.read_text(encoding="ascii").strip() if token_file.exists() else ""
        request = urllib.request.Request(  # noqa: S310 - the scheme is checked above
            f"{url.rstrip('/')}/v1/progress",
            data=json.dumps(body).encode(),
            headers={"Authorization": f"Bearer {token}", "Content-Type": "application/json"},
            method="POST",
        )
        with urllib.request.urlopen(request, timeout=TIMEOUT):  # noqa: S310 - as above
            pass

    return send
