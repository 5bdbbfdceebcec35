"""How requests for predictions ended, whichever way they came: counted, and some of them logged."""

import logging
from typing import TYPE_CHECKING

from tidemill_server.metrics.registry import Metrics, Outcome

if TYPE_CHECKING:  # imported only where traces are recorded
    from tidemill_server.traces.recorder import Recorder
    from tidemill_server.traces.trace import Trace

log = logging.getLogger(__name__)
_OK = Outcome.OK  # to look it up costs as much as to count it


class Accounts:
    """Counts for all fronts together; logs one request of so many (0: none).

    `traces`: who records requests, where that is wanted. `model`: whose they are, of several.
    """

    def __init__(
        self,
        metrics: Metrics,
        log_every: int = 0,
        traces: "Recorder | None" = None,
        model: str = "",
    ) -> None:
        self._model = model
        self._metrics = metrics
        self._log_every = log_every
        self.traces = traces
        self._count = 0

    def ended(self, outcome: Outcome, trace: "Trace | None" = None) -> None:
        """Count one that was not answered to its end."""
        self._metrics.ended(outcome)
        if trace is not None:
            trace.end(None, outcome)

    def answered(
        self,
        path: str,
        status: int,
        outcome: Outcome,
        seconds: float,
        trace: "Trace | None" = None,
    ) -> None:
        self._metrics.ended(outcome)
        if outcome is _OK:
            self._metrics.answered(seconds)
        if trace is not None:
            trace.end(status, outcome)
        self._count += 1
        if self._log_every and self._count % self._log_every == 0:
            fields = {"path": path, "status": status, "seconds": round(seconds, 6)}
            if self._model:
                fields["model"] = self._model
            if trace is not None:
                fields["trace_id"] = trace.id
            log.info("request", extra=fields)
