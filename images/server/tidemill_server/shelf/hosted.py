"""One model of several: all that a server with one model has of it, but for what is shared."""

import asyncio
import shutil
from concurrent.futures import Executor, ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

from tidemill_server.about.page import pages
from tidemill_server.accounts import Accounts
from tidemill_server.answers import stamp_headers
from tidemill_server.app import Application
from tidemill_server.hosts import Common
from tidemill_server.inference import Inference
from tidemill_server.lifecycle.memory import give_back
from tidemill_server.lifecycle.start import Prober, Starter
from tidemill_server.lifecycle.state import State
from tidemill_server.metrics.registry import Metrics
from tidemill_server.metrics.watching import kept, watch_model
from tidemill_server.models import Model
from tidemill_server.protocol.infer import Stamp
from tidemill_server.shelf.blame import Blame
from tidemill_server.shelf.listing import Wanted


@dataclass(frozen=True)
class Loader:
    """What all models are loaded with: tried where, in whose turn, and who is blamed."""

    prober: Prober
    blame: Blame
    turn: asyncio.Lock = field(default_factory=asyncio.Lock)
    probing: Executor = field(default_factory=lambda: ThreadPoolExecutor(1, "probe"))


class Hosted:
    """Made when it is wanted; `load` makes it answer."""

    def __init__(self, wanted: Wanted, common: Common, loader: Loader, scratch: Path) -> None:
        self.wanted = wanted
        self._scratch = scratch
        self._blame, self._known_as = loader.blame, f"{wanted.name}.{wanted.version}"
        settings = wanted.settings(common.settings, scratch)
        self.state, self.metrics = State(), Metrics(process=False)
        stamp = Stamp(wanted.name, wanted.version, wanted.digest)
        inference = Inference(stamp, settings.limits, beside=common.inference)
        watch_model(self.metrics, inference, self.state)
        log_every, traces = settings.access_log_every, common.accounts.traces
        accounts = Accounts(self.metrics, log_every, traces, wanted.name)
        self.model = Model(self.state, inference, accounts, tuple(stamp_headers(stamp)))
        self.app = Application(
            *(self.state, inference),
            metrics=self.metrics,
            ids=common.ids,
            accounts=accounts,
        )
        self.app.mark(self.model.told)
        if settings.page:
            self.app.show(pages())
        # Its own: a model that takes long keeps no other waiting for its turn.
        thread = ThreadPoolExecutor(1, thread_name_prefix=f"model-{wanted.name}")
        self._starter = Starter(
            *(settings, self.state, self.metrics, loader.prober, thread),
            turn=loader.turn,
            probing=loader.probing,
            witness=loader.blame.witness(self._known_as),
            aside=loader.blame.thread(self._known_as),
            keeper=kept(self.metrics, settings.limits),
        )

    @property
    def answers(self) -> bool:
        """Whether it is loaded."""
        return self.state.served is not None

    async def load(self) -> None:
        """Return when it answers; raises Refused."""
        self._blame.check(self._known_as)
        await self._starter.start()

    def clear(self) -> None:
        """Leave nothing behind, neither on the disk nor in memory. Blocks."""
        self.state.served = None  # without it nothing else has the model: no collector need look
        shutil.rmtree(self._scratch, ignore_errors=True)
        give_back()
