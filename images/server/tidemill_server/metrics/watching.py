"""What is read of a model whenever its metrics are."""

from tidemill_server.capture.ring import Ring
from tidemill_server.inference import Inference
from tidemill_server.lifecycle.state import State
from tidemill_server.metrics.registry import Metrics
from tidemill_server.settings import Limits


def watch_model(metrics: Metrics, inference: Inference, state: State) -> None:
    """Have them told; of several models together only what they have together."""
    stamp = inference.stamp
    if stamp.digest:
        metrics.describe(stamp.name, stamp.version, stamp.digest)
    metrics.watch("in_flight", "Requests in flight.", lambda: inference.in_flight)
    metrics.watch("ready", "1 when the model answers.", lambda: state.ready)


def kept(metrics: Metrics, limits: Limits) -> Ring | None:
    """Where a model's requests are kept with their answers, if they are; and have it told."""
    ring = Ring(limits.captured_rows, limits.captured_bytes)
    if not ring.enabled:
        return None
    metrics.count("captured_rows", "Rows kept with their answers.", lambda: ring.captured)
    dropped = "Rows that made room for newer ones before anybody had taken them."
    metrics.count("capture_dropped_rows", dropped, lambda: ring.dropped)
    metrics.watch("capture_rows", "Rows kept now.", lambda: ring.rows)
    return ring
