"""What a process has to answer with: one model, a container, or, in `shelf`, several models."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Protocol

from tidemill_server.about.page import pages
from tidemill_server.access.guard import Guard
from tidemill_server.access.guarded import Served
from tidemill_server.accounts import Accounts
from tidemill_server.app import Application
from tidemill_server.ids import PredictionIds
from tidemill_server.inference import Inference
from tidemill_server.lifecycle.start import Prober, Starter
from tidemill_server.lifecycle.state import State
from tidemill_server.metrics.registry import Metrics
from tidemill_server.metrics.watching import kept
from tidemill_server.models import Model, Models, One
from tidemill_server.settings import Settings
from tidemill_server.upstream.container import Container
from tidemill_server.upstream.gateway import Gateway
from tidemill_server.upstream.told import Upstream


@dataclass(frozen=True)
class Common:
    """What there is once in a process, whatever answers."""

    settings: Settings
    state: State
    metrics: Metrics
    inference: Inference
    accounts: Accounts
    ids: PredictionIds
    guard: Guard | None


class Host(Protocol):
    """Whoever has models, or knows who has."""

    @property
    def app(self) -> Served:
        """What REST asks."""

    @property
    def models(self) -> Models | None:
        """What gRPC asks, where it can."""

    async def start(self) -> None:
        """Make ready what answers; raises Refused where that cannot be."""

    def drain(self) -> None:
        """No new clients, please."""

    def end(self) -> None:
        """Nothing more is asked."""


class OneModel:
    """A model of the server's own."""

    def __init__(self, common: Common, prober: Prober) -> None:
        settings, state, metrics = common.settings, common.state, common.metrics
        # One thread: a model is asked by one at a time, and libraries need not be thread-safe.
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="model")
        self._state, self._prober = state, prober
        self._starter = Starter(
            *(settings, state, metrics, prober, self._thread),
            admitting=common.guard.prepare if common.guard else None,
            keeper=kept(metrics, settings.limits),
        )
        self.app = Application(
            *(state, common.inference), metrics=metrics, ids=common.ids, accounts=common.accounts
        )
        if settings.page:
            self.app.show(pages())
        self.models: Models = One(Model(state, common.inference, common.accounts))

    async def start(self) -> None:
        await self._starter.start()

    def drain(self) -> None:
        self._state.drain()

    def end(self) -> None:
        self._prober.stop()
        self._thread.shutdown(wait=False, cancel_futures=True)


class Behind:
    """A container that the server stands before."""

    models = None

    def __init__(self, common: Common, upstream: Upstream) -> None:
        self._state, guard = common.state, common.guard
        # A token that is for the server is not for the container.
        withheld = frozenset({b"authorization"} if guard else ())
        admitting = guard.prepare if guard else None
        self._container = Container(upstream, self._state, admitting, withheld)
        self.app = Gateway(
            *(self._container, common.inference),
            metrics=common.metrics,
            ids=common.ids,
            accounts=common.accounts,
        )

    async def start(self) -> None:
        await self._container.start()

    def drain(self) -> None:
        self._state.drain()

    def end(self) -> None:
        """Its pod ends it."""
