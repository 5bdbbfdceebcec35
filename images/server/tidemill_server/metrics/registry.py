"""The server's metrics, each named once, here.

- `tidemill_server_requests_total{outcome}`: inference requests, over REST and gRPC; ok,
  client_error, too_large, overloaded, expired (waited longer than the client would), not_ready
  (also where the online store is), error, gone
- `tidemill_server_request_seconds`: from the first byte read to the answer, of those that were ok
- `tidemill_server_rows_total`, `tidemill_server_batch_rows`: rows predicted; rows per batch
- `tidemill_server_feature_rows_total{outcome}`: rows looked up in a feature table; found, missing,
  stale, invalid, unavailable
- `tidemill_server_feature_seconds`: from the question to the online store to its answer
- `tidemill_server_in_flight`, `tidemill_server_ready`: requests being answered, each from when its
  body is there; 1 when ready
- `tidemill_server_held_bytes`: of bodies that are being received and read
- `tidemill_server_captured_rows_total`, `tidemill_server_capture_dropped_rows_total`,
  `tidemill_server_capture_rows`: rows kept with their answers; of these, those that made room
  before anybody had taken them; those that wait now. Only where they are kept
- `tidemill_server_model_load_seconds{stage}`: fetch, probe, load, warm
- `tidemill_server_tls_certificate_expiry_seconds`: its end, in seconds since 1970;
  only under TLS
- `tidemill_server_model_info{model,version,digest}`: always 1
- in a server with several models, each of those that are a model's bears the label `model`
- `process_*`: memory, processor time, open files, as every Prometheus client names them
"""

from collections.abc import Callable
from enum import StrEnum
from typing import Any

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.process_collector import ProcessCollector

from tidemill_server.metrics.tallies import Counts, Reading, Spread
from tidemill_server.protocol.errors import ProtocolError, TooLate

CONTENT_TYPE = b"text/plain; version=0.0.4; charset=utf-8"
_SECONDS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0)
_ROWS = (1, 2, 4, 8, 16, 32, 64, 128, 256, 1024, 4096)


class Outcome(StrEnum):
    """How an inference request ended."""

    OK = "ok"
    CLIENT_ERROR = "client_error"
    TOO_LARGE = "too_large"
    OVERLOADED = "overloaded"
    EXPIRED = "expired"
    NOT_READY = "not_ready"
    ERROR = "error"
    GONE = "gone"

    @classmethod
    def of_status(cls, status: int) -> "Outcome":
        """Few outcomes for many statuses: labels are bounded."""
        special = {413: cls.TOO_LARGE, 429: cls.OVERLOADED, 503: cls.NOT_READY}
        if status in special:
            return special[status]
        if status < 400:
            return cls.OK
        return cls.CLIENT_ERROR if status < 500 else cls.ERROR

    @classmethod
    def of_error(cls, error: ProtocolError) -> "Outcome":
        """The same of what the client is told."""
        return cls.EXPIRED if isinstance(error, TooLate) else cls.of_status(error.status)


class Metrics:
    """One registry per model, so that several can live in one process, whose own are in one."""

    def __init__(self, *, process: bool = True) -> None:
        self.registry = registry = CollectorRegistry()
        if process:
            ProcessCollector(registry=registry)
        self._requests = Counts(
            "tidemill_server_requests", "Inference requests.", "outcome", Outcome
        )
        self._seconds = Spread(
            "tidemill_server_request_seconds", "Time to answer an inference request.", _SECONDS
        )
        self._batch = Spread("tidemill_server_batch_rows", "Rows per batch.", _ROWS)
        for own in (self._requests, self._seconds, self._batch):
            registry.register(own)
        # Seconds to answer a request; rows of a batch. Not methods: a call less for each.
        self.answered: Callable[[float], None] = self._seconds.observe
        self.batch: Callable[[int], None] = self._batch.observe
        self.count("rows", "Rows predicted.", lambda: self._batch.total)
        self._features = Counter(
            "tidemill_server_feature_rows",
            "Rows looked up in a feature table.",
            ["outcome"],
            registry=registry,
        )
        self._feature_seconds = Histogram(
            "tidemill_server_feature_seconds",
            "Time that a request waits for the online store.",
            buckets=_SECONDS,
            registry=registry,
        )
        self._load = Gauge(
            "tidemill_server_model_load_seconds",
            "Time to make the model ready, by stage.",
            ["stage"],
            registry=registry,
        )
        self._info = Gauge(
            "tidemill_server_model_info",
            "The model that is served.",
            ["model", "version", "digest"],
            registry=registry,
        )

    def watch(self, name: str, meaning: str, read: Callable[[], float]) -> None:
        """A gauge that is read when it is asked for."""
        Gauge(f"tidemill_server_{name}", meaning, registry=self.registry).set_function(read)

    def count(self, name: str, meaning: str, read: Callable[[], float]) -> None:
        """A counter that is kept elsewhere."""
        self.registry.register(Reading(f"tidemill_server_{name}", meaning, read))

    def describe(self, model: str, version: str, digest: str) -> None:
        self._info.labels(model, version, digest).set(1)

    def ended(self, outcome: Outcome) -> None:
        self._requests.of[outcome] += 1

    def features(self, outcome: str, rows: int) -> None:
        self._features.labels(outcome).inc(rows)

    def looked_up(self, seconds: float) -> None:
        self._feature_seconds.observe(seconds)

    def loaded(self, stage: str, seconds: float) -> None:
        self._load.labels(stage).set(seconds)

    def stats(self) -> dict[str, Any]:
        """The counts that a page draws a rate and a latency from; all only ever grow."""
        buckets = [{"le": le, "count": count} for le, count in self._seconds.buckets()]
        return {
            "requests": dict(self._requests.of),
            "rows": int(self._batch.total),
            "seconds": {"sum": self._seconds.total, "buckets": buckets},
        }

    def render(self) -> bytes:
        """The text that Prometheus reads."""
        return generate_latest(self.registry)
