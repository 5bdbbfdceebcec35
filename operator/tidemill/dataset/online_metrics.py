"""How fresh the online stores are, over all Datasets together."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from prometheus_client import CollectorRegistry, Gauge

from tidemill.api.v1alpha1.online_store import OnlineStatus
from tidemill.api.v1alpha1.reasons import Reason
from tidemill.engine.key import Key


@dataclass(frozen=True, slots=True)
class _Seen:
    behind: bool
    newest: datetime | None
    written: datetime | None


class OnlineMetrics:
    """Gauges without a label per object: how many there are, and the least fresh of them."""

    def __init__(self, registry: CollectorRegistry, clock: Callable[[], float] = time.time) -> None:
        """Register them."""
        self._clock = clock
        self._seen: dict[Key, _Seen] = {}
        name = "tidemill_online_"
        self._gauge(registry, f"{name}tables", "Online stores kept", self._tables)
        self._gauge(
            registry, f"{name}tables_behind", "Of these, without the version in use", self._behind
        )
        self._gauge(
            registry,
            f"{name}newest_row_age_seconds",
            "Age of the newest row of the store where that is oldest",
            self._newest,
        )
        self._gauge(
            registry,
            f"{name}materialized_age_seconds",
            "Time since the last materialisation of the store where that is longest ago",
            self._written,
        )

    def see(self, key: Key, status: OnlineStatus | None) -> None:
        """Take in what is known of a Dataset's store; None where it has none any more."""
        if status is None:
            self._seen.pop(key, None)
            return
        behind = status.reason != Reason.READY
        self._seen[key] = _Seen(behind, status.newest_time, status.materialized_at)

    def _gauge(
        self, registry: CollectorRegistry, name: str, text: str, value: Callable[[], float]
    ) -> None:
        Gauge(name, text, registry=registry).set_function(value)

    def _tables(self) -> float:
        return len(self._seen)

    def _behind(self) -> float:
        return sum(1 for one in self._seen.values() if one.behind)

    def _newest(self) -> float:
        return self._age([one.newest for one in self._seen.values()])

    def _written(self) -> float:
        return self._age([one.written for one in self._seen.values()])

    def _age(self, times: list[datetime | None]) -> float:
        known = [one.timestamp() for one in times if one is not None]
        return self._clock() - min(known) if known else 0.0
