"""The process: one event loop, its fronts, one thread for long work; and its end.

The server answers from the first moment, so that it can say that it is not ready and why. SIGTERM:
not ready any more, but answering, until the Service has stopped sending clients here; then what is
in flight is finished, and the process ends with 0. A second signal ends it at once.
"""

import asyncio
import contextlib
import importlib
import logging
import signal
import socket
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import uvloop

from tidemill_server.about.page import pages
from tidemill_server.accounts import Accounts
from tidemill_server.app import Application
from tidemill_server.capture.ring import Ring
from tidemill_server.exits import INTERNAL_ERROR, Exit, Refused
from tidemill_server.ids import PredictionIds
from tidemill_server.inference import Inference
from tidemill_server.lifecycle.start import Starter
from tidemill_server.lifecycle.state import State
from tidemill_server.listening import BACKLOG, Front
from tidemill_server.metrics.registry import Metrics
from tidemill_server.probe.child import Prober
from tidemill_server.protocol.infer import Stamp
from tidemill_server.rest.front import Front as RestFront
from tidemill_server.rest.terms import Patience
from tidemill_server.settings import Settings

if TYPE_CHECKING:  # imported only where traces are recorded
    from tidemill_server.traces.recorder import Recorder

FLUSH_SECONDS = 5.0  # for the last traces to be sent
KEEP_ALIVE_SECONDS = 75  # longer than the routers in front keep an idle connection

log = logging.getLogger(__name__)


def serve(settings: Settings, prober: Prober) -> None:
    """Run until the end; raises Refused where the model is."""
    loop = uvloop.new_event_loop()
    asyncio.set_event_loop(loop)
    # The loop is not closed: that would wait for threads in the middle of a load, and the process
    # ends here in any case.
    loop.run_until_complete(Process(settings, prober).run())


class Process:
    """Everything that lives as long as the process."""

    def __init__(self, settings: Settings, prober: Prober) -> None:
        self._settings = settings
        self._state = State()
        self._metrics = Metrics()
        self._stopping = asyncio.Event()
        self._ids = PredictionIds()
        self._fronts: list[Front] = []
        # One thread: the model is asked by one at a time, and libraries need not be thread-safe.
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="model")
        self._prober = prober
        self._recorder: Recorder | None = None
        self._starter = Starter(settings, self._state, self._metrics, prober, self._thread)

    async def run(self) -> None:
        """Serve, load, wait for the end."""
        self._listen_for_signals()
        inference = self._inference()
        self._recorder = self._recorded(inference.stamp)
        accounts = Accounts(self._metrics, self._settings.access_log_every, self._recorder)
        ports = {"port": await self._listen_to_rest(inference, accounts)}
        if self._settings.grpc_port is not None:
            ports["grpc"] = await self._listen_to_grpc(inference, accounts)
        log.info("listening", extra=ports)
        stopping = asyncio.create_task(self._stopping.wait())
        starting = asyncio.create_task(self._starter.start())
        try:
            await asyncio.wait({stopping, starting}, return_when=asyncio.FIRST_COMPLETED)
            if starting.done():
                starting.result()
                await stopping
            await self._drain()
        except Exception as error:
            await self._end()
            raise _refusal(error) from error
        finally:
            starting.cancel()
            stopping.cancel()
        await self._end()

    async def _drain(self) -> None:
        """Whoever still comes is answered; who was ready is given time to be forgotten."""
        was_ready = self._state.ready
        self._state.drain()
        for front in self._fronts:
            front.retire()
        self._stopping.clear()
        if was_ready:
            seconds = self._settings.stopping.drain_seconds
            log.info("draining", extra={"seconds": seconds})
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._stopping.wait(), seconds)

    async def _end(self) -> None:
        """Stop listening, finish what is in flight, within bounds that all fronts keep."""
        seconds = self._settings.stopping.finish_seconds
        await asyncio.gather(*(front.end(seconds) for front in self._fronts))
        if self._recorder is not None:
            await asyncio.to_thread(self._recorder.stop, FLUSH_SECONDS)
        self._prober.stop()
        self._thread.shutdown(wait=False, cancel_futures=True)
        log.info("ended")

    def _listen_for_signals(self) -> None:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._stopping.set)

    def _inference(self) -> Inference:
        settings = self._settings
        stamp = Stamp(settings.model_name, settings.model_version, settings.model_digest)
        inference = Inference(stamp, settings.limits)
        self._metrics.describe(stamp.name, stamp.version, stamp.digest)
        self._metrics.watch("in_flight", "Requests in flight.", lambda: inference.in_flight)
        held = "Bytes of bodies that are being received and read."
        self._metrics.watch("held_bytes", held, lambda: inference.held_bytes)
        self._watch(inference.capture)
        self._metrics.watch("ready", "1 when the model answers.", lambda: self._state.ready)
        return inference

    def _recorded(self, stamp: Stamp) -> "Recorder | None":
        """Who records traces. It is imported only here, and starts a thread."""
        settings = self._settings.traces
        if settings is None:
            return None
        module = importlib.import_module("tidemill_server.traces.recorder")
        recorder: Recorder = module.Recorder(settings, stamp)
        sent = "Traces that the collector has taken."
        self._metrics.count("traces_sent", sent, lambda: recorder.sent)
        dropped = "Traces that found no room, or no collector that took them."
        self._metrics.count("traces_dropped", dropped, lambda: recorder.dropped)
        log.info("traces", extra={"endpoint": settings.endpoint, "ratio": settings.ratio})
        return recorder

    def _watch(self, ring: Ring) -> None:
        if ring.enabled:
            metrics = self._metrics
            metrics.count("captured_rows", "Rows kept with their answers.", lambda: ring.captured)
            dropped = "Rows that made room for newer ones before anybody had taken them."
            metrics.count("capture_dropped_rows", dropped, lambda: ring.dropped)
            metrics.watch("capture_rows", "Rows kept now.", lambda: ring.rows)

    async def _listen_to_rest(self, inference: Inference, accounts: Accounts) -> int:
        """The port."""
        settings = self._settings
        app = Application(
            self._state, inference, metrics=self._metrics, ids=self._ids, accounts=accounts
        )
        if settings.page:
            app.show(pages())
        patience = Patience(settings.limits.body_seconds, KEEP_ALIVE_SECONDS)
        return await self._listen(RestFront(app, inference.stamp, patience), settings.port)

    async def _listen_to_grpc(self, inference: Inference, accounts: Accounts) -> int:
        """The port. What gRPC needs is imported only here: without it nothing starts later."""
        front = importlib.import_module("tidemill_server.rpc.front")
        service = importlib.import_module("tidemill_server.rpc.service")
        answering = service.Service(self._state, inference, ids=self._ids, accounts=accounts)
        return await self._listen(front.Front(answering, inference), self._settings.grpc_port or 0)

    async def _listen(self, front: Front, wanted: int) -> int:
        listener = _listener(wanted)
        await front.listen(listener)
        self._fronts.append(front)
        port: int = listener.getsockname()[1]
        return port


def _listener(port: int) -> socket.socket:
    if socket.has_dualstack_ipv6():
        family, dual = socket.AF_INET6, True
    else:
        family, dual = socket.AF_INET, False
    return socket.create_server(("", port), family=family, dualstack_ipv6=dual, backlog=BACKLOG)


def _refusal(error: Exception) -> Refused:
    if isinstance(error, Refused):
        return error
    log.error("the server failed", exc_info=error)
    return Refused(INTERNAL_ERROR, f"{type(error).__name__}: {error}", Exit.BUG)
