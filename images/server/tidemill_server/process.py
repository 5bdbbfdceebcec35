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
from typing import TYPE_CHECKING

import uvloop

from tidemill_server.access import entrance
from tidemill_server.access.guarded import HealthOnly
from tidemill_server.accounts import Accounts
from tidemill_server.answers import stamp_headers
from tidemill_server.exits import INTERNAL_ERROR, Exit, Refused
from tidemill_server.hosts import Behind, Common, Host, OneModel
from tidemill_server.ids import PredictionIds
from tidemill_server.inference import Inference
from tidemill_server.lifecycle.start import Prober
from tidemill_server.lifecycle.state import State
from tidemill_server.listening import BACKLOG, Front
from tidemill_server.metrics.registry import Metrics
from tidemill_server.metrics.watching import watch_model
from tidemill_server.protocol.errors import Header
from tidemill_server.protocol.infer import Stamp
from tidemill_server.rest.front import Front as RestFront
from tidemill_server.rest.terms import Patience
from tidemill_server.settings import Settings

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
        self._prober = prober
        self._state = State()
        self._metrics = Metrics()
        self._stopping = asyncio.Event()
        self._ids = PredictionIds()
        self._fronts: list[Front] = []
        self._guard = entrance.guard_of(settings.access)
        self._recorder: Recorder | None = None
        self._host: Host

    async def run(self) -> None:
        """Serve, load, wait for the end."""
        self._listen_for_signals()
        inference = self._inference()
        self._recorder = self._recorded(inference.stamp)
        settings = self._settings
        accounts = Accounts(self._metrics, settings.access_log_every, self._recorder)
        common = Common(
            *(settings, self._state, self._metrics, inference, accounts, self._ids, self._guard)
        )
        self._host = self._hosting(common)
        ports = await self._listen_to_rest(common)
        if settings.grpc_port is not None:
            ports["grpc"] = await self._listen_to_grpc(common)
        log.info("listening", extra=ports)
        stopping = asyncio.create_task(self._stopping.wait())
        starting = asyncio.create_task(self._host.start())
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

    def _hosting(self, common: Common) -> Host:
        if self._settings.upstream is not None:
            return Behind(common, self._settings.upstream)
        if self._prober is None:
            raise AssertionError("there is neither a container nor what loads a model")
        if self._settings.models is None:
            return OneModel(common, self._prober)
        module = importlib.import_module("tidemill_server.shelf.shelf")
        host: Host = module.Shelf(common, self._prober)
        return host

    async def _drain(self) -> None:
        """Whoever still comes is answered; who was ready is given time to be forgotten."""
        was_ready = self._state.ready
        self._host.drain()
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
        self._host.end()
        log.info("ended")

    def _listen_for_signals(self) -> None:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._stopping.set)

    def _inference(self) -> Inference:
        settings = self._settings
        stamp = Stamp(settings.model_name, settings.model_version, settings.model_digest)
        inference = Inference(stamp, settings.limits)
        held = "Bytes of bodies that are being received and read."
        self._metrics.watch("held_bytes", held, lambda: inference.held_bytes)
        watch_model(self._metrics, inference, self._state)
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

    async def _listen_to_rest(self, common: Common) -> dict[str, int]:
        """The ports."""
        settings, access = self._settings, self._settings.access
        app, stamp, budget = self._host.app, self._stamped(common), common.inference.budget
        patience = Patience(settings.limits.body_seconds, KEEP_ALIVE_SECONDS)
        answerer = entrance.before(app, access, self._guard, common.accounts)
        tls = entrance.tls_of(access, HTTP)
        front = RestFront(answerer, stamp, patience, budget)
        ports = {"port": await self._listen(front, settings.port, tls)}
        if tls is not None:
            end = "When the certificate ends, in seconds since 1970."
            self._metrics.watch("tls_certificate_expiry_seconds", end, lambda: tls.expires)
        if access.health_port is not None:
            front = RestFront(HealthOnly(app), stamp, patience)
            ports["health"] = await self._listen(front, access.health_port, None)
        return ports

    async def _listen_to_grpc(self, common: Common) -> int:
        """The port. What gRPC needs is imported only here: without it nothing starts later."""
        rpc = importlib.import_module("tidemill_server.rpc.front")
        service = importlib.import_module("tidemill_server.rpc.service")
        models, limits = self._host.models, self._settings.limits
        answering = service.Service(
            *(self._state, models, limits), ids=self._ids, accounts=common.accounts
        )
        bounds = common.inference.budget, limits
        front = rpc.Front(answering, *bounds, self._stamped(common), self._guard)
        tls = entrance.tls_of(self._settings.access, HTTP2)
        return await self._listen(front, self._settings.grpc_port or 0, tls)

    def _stamped(self, common: Common) -> list[Header]:
        """What all answers say of the model; where there are several each says it itself."""
        return stamp_headers(common.inference.stamp) if self._settings.models is None else []

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
