"""How requests for predictions ended, whichever way they came: counted, and some of them logged."""

import logging

from tidemill_server.metrics.registry import Metrics, Outcome

log = logging.getLogger(__name__)


class Accounts:
    """Counts for all fronts together; logs one request of so many (0: none)."""

    def __init__(self, metrics: Metrics, log_every: int = 0) -> None:
        self._metrics = metrics
        self._log_every = log_every
        self._count = 0

    def ended(self, outcome: Outcome) -> None:
        """Count one that was not answered to its end."""
        self._metrics.ended(outcome)

    def answered(self, path: str, status: int, outcome: Outcome, seconds: float) -> None:
        self._metrics.ended(outcome)
        if outcome is Outcome.OK:
            self._metrics.answered(seconds)
        self._count += 1
        if self._log_every and self._count % self._log_every == 0:
            fields = {"path": path, "status": status, "seconds": round(seconds, 6)}
            log.info("request", extra=fields)
