"""Make the model ready: fetch, prove, let the child load it, load it, warm it.

A store that does not answer is waited for, with growing pauses, in sight of everybody: the state
says so. A package that is refused ends the process with the reason.
"""

import asyncio
import importlib
import logging
import random
import time
from collections.abc import Awaitable, Callable, Iterator
from concurrent.futures import Executor
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Protocol, TypeVar

import numpy as np

from tidemill.store.config import StoreConfig, StoreConfigError
from tidemill.store.objects import (
    AccessDenied,
    BucketMissing,
    ObjectStore,
    Patience,
    StoreError,
)
from tidemill.store.package import PackageError
from tidemill_server.batching.batcher import LONG_SECONDS, Batcher, Keeper, Pace
from tidemill_server.batching.batcher import Model as Asked
from tidemill_server.exits import SPEC_INVALID, Exit, Refused
from tidemill_server.explain.explainer import Explains
from tidemill_server.features.lookup import Lookup
from tidemill_server.features.request import RequestReader
from tidemill_server.features.tables import read_tables
from tidemill_server.formats.choice import Model, open_model, platform_of
from tidemill_server.lifecycle.memory import give_back
from tidemill_server.lifecycle.state import ISSUER_UNAVAILABLE, Served, State
from tidemill_server.metrics.registry import Metrics
from tidemill_server.package.card import read_card
from tidemill_server.package.fetch import fetch
from tidemill_server.package.signature import Signature, read_signature
from tidemill_server.package.signed import prove_signed
from tidemill_server.probe.examine import explain_with, probe_rows
from tidemill_server.settings import Loading, Settings

FIRST_PAUSE = 0.5
LONGEST_PAUSE = 15.0
WARM_ROWS = 64
CANCEL_SECONDS = 1.0
T = TypeVar("T")
ASIDE = Pace(2 * LONG_SECONDS, 0.0)
# Shorter than elsewhere: the server itself tries again, and says so meanwhile.
PATIENCE = Patience(
    connect=timedelta(seconds=3),
    request=timedelta(seconds=30),
    retry=timedelta(seconds=3),
    retries=1,
)

log = logging.getLogger(__name__)


class Prober(Protocol):
    """Has a package tried where no harm is done."""

    def probe(self, folder: Path, loading: Loading) -> None:
        """Return where the model can be loaded; raises Refused. Blocks."""

    def cancel(self) -> None:
        """Nobody wants to know any more about what is being tried."""

    def stop(self) -> None:
        """Nobody waits any longer."""


class Witness(Protocol):
    """Who sees what is done with a model."""

    def loading(self) -> AbstractContextManager[None]:
        """While the block lasts the model is loaded."""

    def of_model(self, model: Asked) -> Asked:
        """Who is asked in the model's place."""

    def of_explainer(self, explainer: Explains) -> Explains:
        """Who explains in the explainer's place."""


class Nobody:
    """Nobody looks: a model that is alone is blamed in any case."""

    def loading(self) -> AbstractContextManager[None]:
        return nullcontext()

    def of_model(self, model: Asked) -> Asked:
        return model

    def of_explainer(self, explainer: Explains) -> Explains:
        return explainer


@dataclass(frozen=True)
class Starter:
    """Everything that making the model ready takes."""

    settings: Settings
    state: State
    metrics: Metrics
    prober: Prober
    thread: Executor
    admitting: Callable[[], Awaitable[None]] | None = None  # returns when who may ask is known
    pause: Callable[[float], Awaitable[None]] = asyncio.sleep
    # Of several models one is loaded at a time: what they need for it does not add up.
    turn: asyncio.Lock = field(default_factory=asyncio.Lock)
    probing: Executor | None = None  # the thread that waits for what is tried
    witness: Witness = field(default_factory=Nobody)
    aside: Executor | None = None  # in which each batch is asked, however short
    keeper: Keeper | None = None  # of what is asked, with the answers

    async def start(self) -> None:
        """Return when the model answers; raises Refused."""
        with self._stage("fetch"):
            folder = await self._fetch()
        async with self.turn:
            await self._load(folder)

    async def _load(self, folder: Path) -> None:
        with self._stage("probe"):
            self._say("loading the model for the first time, in a child process")
            loop = asyncio.get_running_loop()
            probe = self.prober.probe
            tried = loop.run_in_executor(self.probing, probe, folder, self.settings.loading)
            await _whole(tried, self.prober.cancel)
        self._say("loading the model")
        with self.witness.loading():
            await self._open(folder)

    async def _open(self, folder: Path) -> None:
        runtime = self.settings.runtime
        with self._stage("load"):
            signature = read_signature(folder / "signature.json")
            model = await self._thread(open_model, folder, signature, runtime)
            explained = bool(self.settings.limits.explained_rows)
            explainer, unexplained = (
                await self._thread(explain_with, model, signature) if explained else (None, "")
            )
            await self._thread(give_back)
            lookup = self._lookup(folder, signature)
        with self._stage("warm"):
            pace = await self._thread(_warm, model, signature)
            if lookup is not None:
                await lookup.connect()
        if self.admitting is not None:
            with self._stage("access"):
                self.state.waiting(ISSUER_UNAVAILABLE, "waiting for the keys of the issuer")
                await self.admitting()
        batcher = Batcher(
            self.witness.of_model(model),
            ASIDE if self.aside else pace,
            max_rows=self.settings.limits.batch_rows,
            thread=self.aside or self.thread,
            on_batch=self.metrics.batch,
        )
        batcher.keeper = self.keeper
        platform = platform_of(folder, signature, runtime)
        card = read_card(folder)
        told = (self.witness.of_explainer(explainer) if explainer else None, unexplained)
        self.state.serve(Served(signature, batcher, lookup, card, platform, *told))
        log.info("ready", extra={"digest": self.settings.model_digest, "pace": vars(pace)})

    async def _thread(self, work: Callable[..., T], *given: object) -> T:
        """Do it in the model's thread; when this is cancelled, not before that is free again."""
        done = asyncio.get_running_loop().run_in_executor(self.thread, work, *given)
        return await _whole(done, lambda: None)

    def _lookup(self, folder: Path, signature: Signature) -> Lookup | None:
        """Who looks features up; the store's client is imported only where it is needed."""
        online = self.settings.online
        if online is None:
            return None
        reader = RequestReader(signature, read_tables(folder, signature), self.settings.limits.rows)
        client = importlib.import_module("tidemill_server.features.store")
        store = client.OnlineFeatures(online)
        return Lookup(reader, store, online.namespace, online.may_lack, self.metrics)

    async def _fetch(self) -> Path:
        """Try until the store answers; the configuration is read anew each time."""
        pause = FIRST_PAUSE
        while True:
            try:
                return await self._fetch_once()
            except PackageError as error:
                raise Refused(error.reason, error.message) from None
            except (StoreError, StoreConfigError) as error:
                self.state.waiting(_reason(error), f"{error}; trying again")
                fields = {"reason": _reason(error), "pause": round(pause, 1)}
                log.warning("waiting for the store: %s", error, extra=fields)
            await self.pause(pause * random.uniform(0.8, 1.2))  # noqa: S311 - spreads replicas
            pause = min(pause * 2, LONGEST_PAUSE)

    async def _fetch_once(self) -> Path:
        settings = self.settings
        config = StoreConfig.from_dirs(settings.store)
        if config.bucket != settings.bucket:
            raise Refused(
                SPEC_INVALID,
                f"the model lies in the bucket {settings.bucket!r}, "
                f"the store is configured for {config.bucket!r}",
                Exit.USER_ERROR,
            )
        store = ObjectStore(config, PATIENCE)
        await prove_signed(store, settings, say=self._say)
        return await fetch(
            store,
            settings.prefix,
            settings.model_digest,
            into=settings.scratch,
            say=self._say,
        )

    def _say(self, message: str) -> None:
        self.state.waiting("Loading", message)

    @contextmanager
    def _stage(self, name: str) -> Iterator[None]:
        started = time.perf_counter()
        yield
        seconds = time.perf_counter() - started
        self.metrics.loaded(name, seconds)
        log.info("stage done", extra={"stage": name, "seconds": round(seconds, 3)})


async def _whole(done: "asyncio.Future[T]", cancel: Callable[[], None]) -> T:
    """Wait for what a thread does, also where nobody wants it any more: its turn is not over."""
    try:
        return await asyncio.shield(done)
    except asyncio.CancelledError:
        while not done.done():  # again, since the first may come before there is what to cancel
            cancel()
            await asyncio.wait([done], timeout=CANCEL_SECONDS)
        raise


def _warm(model: Model, signature: Signature) -> Pace:
    """Predict once for the caches, then once with few and once with many rows for the pace."""
    few = probe_rows(signature)[:1]
    many = few.repeat(WARM_ROWS, axis=0)
    try:
        _seconds(model, signature, few)
        call = _seconds(model, signature, few)
        bulk = _seconds(model, signature, many)
    except ValueError:
        return Pace(
            0.001, 0.00001
        )  # the probe's texts are unknown to the model: assume a quick one
    return Pace(call, max(bulk - call, 0.0) / (WARM_ROWS - 1))


def _seconds(model: Model, signature: Signature, rows: np.ndarray) -> float:
    started = time.perf_counter()
    model.predict(rows, signature.output_names)
    return time.perf_counter() - started


def _reason(error: Exception) -> str:
    if isinstance(error, AccessDenied):
        return "AccessDenied"
    if isinstance(error, BucketMissing):
        return "BucketMissing"
    return "SecretInvalid" if isinstance(error, StoreConfigError) else "StoreUnavailable"
