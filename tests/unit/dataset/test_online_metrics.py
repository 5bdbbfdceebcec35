"""How fresh the online stores are, as a monitoring system reads it."""

from prometheus_client import CollectorRegistry

from tidemill.api.v1alpha1.online_store import OnlineStatus
from tidemill.dataset.online_metrics import OnlineMetrics
from tidemill.engine.key import Key


def test_metrics_tell_of_the_least_fresh() -> None:
    registry, now = CollectorRegistry(), 1_000_000.0
    metrics = OnlineMetrics(registry, lambda: now)

    def value(name: str) -> float | None:
        return registry.get_sample_value(f"tidemill_online_{name}")

    assert (value("tables"), value("newest_row_age_seconds")) == (0, 0)
    for name, seconds, reason in (("a", 10, "Ready"), ("b", 30, "AccessDenied")):
        time = f"1970-01-12T13:{46 - seconds // 60}:{40 - seconds % 60:02d}Z"
        status = OnlineStatus.model_validate(
            {"reason": reason, "message": "", "newestTime": time, "materializedAt": time}
        )
        metrics.see(Key("Dataset", "ns", name), status)
    assert (value("tables"), value("tables_behind")) == (2, 1)
    assert value("newest_row_age_seconds") == value("materialized_age_seconds") == 30
    metrics.see(Key("Dataset", "ns", "b"), None)
    assert (value("tables"), value("newest_row_age_seconds")) == (1, 10)
