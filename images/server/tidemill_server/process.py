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
from tidemill_server.access import entrance
from tidemill_server.access.guarded import HealthOnly
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
from tidemill_server.upstream.container import Container
from tidemill_server.upstream.gateway import Gateway
from tidemill_server.upstream.told import Upstream

HTTP, HTTP2 = "http/1.1", "h2"  # as TLS names them
FLUSH_SECONDS = 5.0  # for the last traces to be sent
KEEP_ALIVE_SECONDS = 75  # longer than the routers in front keep an idle connection

if TYPE_CHECKING:
    from tidemill_server.access.tls import Tls
    from tidemill_server.traces.recorder import Recorder

log = logging.getLogger(__name__)


def serve(settings: Settings, prober: Prober | None = None) -> None:
    """Run until the end; raises Refused where the model is. Without one there is no prober."""
    loop = uvloop.new_event_loop()
    asyncio.set_event_loop(loop)
    # The loop is not closed: that would wait for threads in the middle of a load, and the process
    # ends here in any case.
    loop.run_until_complete(Process(settings, prober).run())


class Process:
    """Everything that lives as long as the process."""

    def __init__(self, settings: Settings, prober: Prober | None) -> None:
        self._settings = settings
        self._state = State()
        self._metrics = Metrics()
        self._stopping = asyncio.Event()
        self._ids = PredictionIds()
        self._capture = Ring(settings.limits.captured_rows, settings.limits.captured_bytes)
        self._fronts: list[Front] = []
        # One thread: the model is asked by one at a time, and libraries need not be thread-safe.
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="model")
        self._prober = prober
        self._guard = entrance.guard_of(settings.access)
        self._container = self._before(settings.upstream) if settings.upstream else None
        self._starter = self._starting()
        self._recorder: Recorder | None = None

    def _before(self, upstream: Upstream) -> Container:
        if self._guard is None:
            return Container(upstream, self._state)
        # A token that is for the server is not for the container.
        withheld = frozenset({b"authorization"})
        return Container(upstream, self._state, self._guard.prepare, withheld)

    def _starting(self) -> Starter | Container:
        if self._prober is None:
            if self._container is None:
                raise AssertionError("there is neither a container nor what loads a model")
            return self._container
        place = self._state, self._metrics, self._prober, self._thread
        admitting = self._guard.prepare if self._guard else None
        keeper = self._capture if self._capture.enabled else None
        return Starter(self._settings, *place, admitting, keeper=keeper)

    async def run(self) -> None:
        """Serve, load, wait for the end."""
        self._listen_for_signals()
        inference = self._inference()
        self._recorder = self._recorded(inference.stamp)
        accounts = Accounts(self._metrics, self._settings.access_log_every, self._recorder)
        ports = await self._listen_to_rest(inference, accounts)
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
        if self._prober is not None:
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
        self._watch(self._capture)
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

    async def _listen_to_rest(self, inference: Inference, accounts: Accounts) -> dict[str, int]:
        """The ports."""
        settings, access = self._settings, self._settings.access
        app = self._application(inference, accounts)
        patience = Patience(settings.limits.body_seconds, KEEP_ALIVE_SECONDS)
        answerer = entrance.before(app, access, self._guard, accounts)
        front = RestFront(answerer, inference.stamp, patience, inference.budget)
        tls = entrance.tls_of(access, HTTP)
        ports = {"port": await self._listen(front, settings.port, tls)}
        if tls is not None:
            end = "When the certificate ends, in seconds since 1970."
            self._metrics.watch("tls_certificate_expiry_seconds", end, lambda: tls.expires)
        if access.health_port is not None:
            front = RestFront(HealthOnly(app), inference.stamp, patience)
            ports["health"] = await self._listen(front, access.health_port, None)
        return ports

    def _application(self, inference: Inference, accounts: Accounts) -> Application | Gateway:
        metrics, ids = self._metrics, self._ids
        if self._container is not None:
            return Gateway(self._container, inference, metrics=metrics, ids=ids, accounts=accounts)
        app = Application(self._state, inference, metrics=metrics, ids=ids, accounts=accounts)
        if self._settings.page:
            app.show(pages())
        return app

    async def _listen_to_grpc(self, inference: Inference, accounts: Accounts) -> int:
        """The port. What gRPC needs is imported only here: without it nothing starts later."""
        rpc = importlib.import_module("tidemill_server.rpc.front")
        service = importlib.import_module("tidemill_server.rpc.service")
        answering = service.Service(self._state, inference, ids=self._ids, accounts=accounts)
        front = rpc.Front(answering, inference, self._guard)
        tls = entrance.tls_of(self._settings.access, HTTP2)
        return await self._listen(front, self._settings.grpc_port or 0, tls)

    async def _listen(self, front: Front, wanted: int, tls: "Tls | None") -> int:
        listener = _listener(wanted)
        await front.listen(listener, tls.context if tls else None)
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
