"""What the engine counts, under controller-runtime's names, so that stock dashboards fit.

No metric has a label per object. The registry is handed in; nothing is registered at import.
"""

from dataclasses import dataclass

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120)
WAITING = (0.001, 0.01, 0.1, 0.5, 1, 2.5, 5, 10, 20, 30, 60, 120, 300)


@dataclass(frozen=True, slots=True)
class QueueMetrics:
    """The metrics of one queue."""

    depth: Gauge
    adds: Counter
    retries: Counter
    queue_seconds: Histogram
    work_seconds: Histogram

    @classmethod
    def unobserved(cls) -> "QueueMetrics":
        """Give metrics that nobody reads, for a queue on its own."""
        return Metrics(CollectorRegistry()).queue("")


@dataclass(frozen=True, slots=True)
class ControllerMetrics:
    """The metrics of one controller."""

    success: Counter
    requeue_after: Counter
    error: Counter
    terminal: Counter
    errors: Counter
    terminal_errors: Counter
    seconds: Histogram
    active: Gauge
    workers: Gauge


class Metrics:
    """All metrics of the engine in one registry."""

    def __init__(self, registry: CollectorRegistry) -> None:
        """Register them."""
        self._queue(registry)
        self._controller(registry)
        self.leader = Gauge(
            "leader_election_master_status",
            "1 while this process leads",
            ["name"],
            registry=registry,
        )
        self.loop_lag = Gauge(
            "tidemill_event_loop_lag_seconds",
            "Lateness of the event loop's last tick",
            registry=registry,
        )
        self.writes = Counter(
            "tidemill_api_writes_total", "Successful writes to the API server", registry=registry
        )

        self._requests = Counter(
            "rest_client_requests_total",
            "Requests to the API server by method and status",
            ["method", "code"],
            registry=registry,
        )

    def answered(self, method: str, status: int) -> None:
        """Count a request to the API server; without an answer the code is `<error>`."""
        self._requests.labels(method, str(status) if status else "<error>").inc()

    def _queue(self, registry: CollectorRegistry) -> None:
        labels = ["name", "controller"]
        self._depth = Gauge("workqueue_depth", "Keys ready", labels, registry=registry)
        self._adds = Counter("workqueue_adds_total", "Keys made ready", labels, registry=registry)
        self._retries = Counter("workqueue_retries_total", "Retries", labels, registry=registry)
        self._waited = Histogram(
            "workqueue_queue_duration_seconds",
            "Time from ready to taken",
            labels,
            buckets=WAITING,
            registry=registry,
        )
        self._worked = Histogram(
            "workqueue_work_duration_seconds",
            "Time from taken to done",
            labels,
            buckets=SECONDS,
            registry=registry,
        )

    def _controller(self, registry: CollectorRegistry) -> None:
        name = "controller_runtime_"
        labels = ["controller"]
        self._total = Counter(
            f"{name}reconcile_total",
            "Reconciles by result",
            [*labels, "result"],
            registry=registry,
        )
        self._errors = Counter(
            f"{name}reconcile_errors_total", "Failed reconciles", labels, registry=registry
        )
        self._terminal = Counter(
            f"{name}terminal_reconcile_errors_total",
            "Failures that no retry mends",
            labels,
            registry=registry,
        )
        self._seconds = Histogram(
            f"{name}reconcile_time_seconds",
            "Time of a reconcile",
            labels,
            buckets=SECONDS,
            registry=registry,
        )
        self._active = Gauge(
            f"{name}active_workers", "Workers with a key", labels, registry=registry
        )
        self._workers = Gauge(
            f"{name}max_concurrent_reconciles", "Workers in all", labels, registry=registry
        )

    def queue(self, name: str) -> QueueMetrics:
        """Give the metrics of the queue `name`."""
        labels = (name, name)
        return QueueMetrics(
            depth=self._depth.labels(*labels),
            adds=self._adds.labels(*labels),
            retries=self._retries.labels(*labels),
            queue_seconds=self._waited.labels(*labels),
            work_seconds=self._worked.labels(*labels),
        )

    def controller(self, name: str) -> ControllerMetrics:
        """Give the metrics of the controller `name`."""
        return ControllerMetrics(
            success=self._total.labels(name, "success"),
            requeue_after=self._total.labels(name, "requeue_after"),
            error=self._total.labels(name, "error"),
            terminal=self._total.labels(name, "terminal"),
            errors=self._errors.labels(name),
            terminal_errors=self._terminal.labels(name),
            seconds=self._seconds.labels(name),
            active=self._active.labels(name),
            workers=self._workers.labels(name),
        )
