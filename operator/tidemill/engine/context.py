"""What every reconciler is given: the world's handles, time and chance.

One object, made in `__main__` and by tests; nothing in it is global. `clock` gives aware UTC times.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from random import Random, SystemRandom

from prometheus_client import CollectorRegistry

from tidemill.engine.queue import Queues
from tidemill.engine.waiters import Waiters
from tidemill.kube.client import Client
from tidemill.kube.events import Events
from tidemill.settings import Settings

Clock = Callable[[], datetime]


def utc_now() -> datetime:
    """Give the time of the machine; tests inject their own."""
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True)
class Context:
    """Shared by all reconcilers of one process."""

    client: Client
    events: Events
    queue: Queues
    waiters: Waiters
    settings: Settings
    clock: Clock = utc_now
    random: Random = field(default_factory=SystemRandom)
    registry: CollectorRegistry = field(default_factory=CollectorRegistry)
