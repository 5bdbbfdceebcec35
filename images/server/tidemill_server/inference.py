"""The way of one inference request: admitted, read, understood, predicted, written."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from tidemill_server.answers import JSON, Answer
from tidemill_server.explain import telling
from tidemill_server.features.request import Asked
from tidemill_server.lifecycle.state import Served
from tidemill_server.limits.body import Body, read_body
from tidemill_server.limits.budget import Budget, Share
from tidemill_server.limits.gate import Gate
from tidemill_server.plain.predictions import write_predictions
from tidemill_server.plain.read import read_plain
from tidemill_server.protocol import compression
from tidemill_server.protocol.errors import Header, TooLate
from tidemill_server.protocol.framing import Framing, Headers, check_tensors, read_framing
from tidemill_server.protocol.infer import (
    Envelope,
    InferRequest,
    Stamp,
    read_envelope,
    read_request,
    write_answer,
)
from tidemill_server.protocol.rows import read_rows
from tidemill_server.settings import Limits

if TYPE_CHECKING:  # imported only where traces are recorded
    from tidemill_server.traces.trace import Trace

_T = TypeVar("_T")
OCTETS = b"application/octet-stream"
LONG_BYTES = 64 * 1024  # to read or compress more takes longer than a thread is away


@dataclass(slots=True)  # not frozen: one is made for each request
class Call:
    """A request as it came, the id that its answer will have, and whether it is in flight.

    `trace`: where it is recorded.
    """

    served: Served
    headers: Headers
    body: Body
    prediction: str
    trace: "Trace | None" = None
    admitted: bool = False


class Inference:
    """Holds what outlives a request: the bounds, and who is inside them."""

    def __init__(self, stamp: Stamp, limits: Limits, beside: "Inference | None" = None) -> None:
        """`beside`: what has the bounds of all models together, where there are several."""
        self.stamp = stamp
        self._limits = limits
        self._read_at_once = min(LONG_BYTES, limits.body_bytes)
        # Those of all fronts: gRPC's requests count with REST's.
        self.gate: Gate = Gate(limits.in_flight, within=beside.gate if beside else None)
        self.budget: Budget = beside.budget if beside else Budget(limits.held_bytes)

    @property
    def in_flight(self) -> int:
        return self.gate.count

    @property
    def held_bytes(self) -> int:
        return self.budget.held

    @property
    def limits(self) -> Limits:
        return self._limits

    def tensors(self, call: Call) -> Coroutine[None, None, Answer]:
        """Tensors as the protocol has them; raises ProtocolError."""
        return self._bounded(call, self._tensors)

    def plain(self, call: Call) -> Coroutine[None, None, Answer]:
        """Rows by name, labels by name; raises ProtocolError."""
        return self._bounded(call, self._plain)

    async def _bounded(
        self, call: Call, work: Callable[[Call, Framing], Awaitable[Answer]]
    ) -> Answer:
        self.gate.check()
        framing = read_framing(call.headers)
        try:
            if framing.seconds is None:
                return await work(call, framing)
            # What is still queued then is cancelled, and never computed.
            async with asyncio.timeout(framing.seconds):
                return await work(call, framing)
        except TimeoutError:
            if framing.seconds is None:
                raise
            raise TooLate(framing.seconds) from None
        finally:
            if call.admitted:
                self.gate.leave()

    async def _tensors(self, call: Call, framing: Framing) -> Answer:
        signature = call.served.signature
        check_tensors(framing)
        request = await self._request(call, framing)
        answer, request = await self.answered(call.served, request, call.prediction, call.trace)
        written, json_bytes = write_answer(
            request, answer, signature, stamp=self.stamp, prediction=call.prediction
        )
        if json_bytes is None:
            if len(written) < compression.LEAST_BYTES:  # most are, and a call less is a call less
                return Answer(200, written)
            return await _finished(framing, written, JSON)
        length = (b"inference-header-content-length", str(json_bytes).encode())
        return await _finished(framing, written, OCTETS, length)

    async def answered(
        self,
        served: Served,
        request: InferRequest,
        prediction: str,
        trace: "Trace | None" = None,
    ) -> tuple[dict[str, np.ndarray], InferRequest]:
        """What the model says, and the request; explained, as if it had named that's outputs.

        Raises ProtocolError.
        """
        rows, outputs = request.rows, request.outputs
        if not request.explain:
            return await served.batcher.predict(rows, outputs, trace, prediction), request
        telling.check(served, len(rows), self._limits.explained_rows)
        answer = await served.batcher.predict(rows, outputs, trace, prediction)
        request, more = telling.beside(request, await telling.explain(served, rows))
        if trace is not None:
            trace.mark("explain")
        return {**answer, **more}, request

    async def _request(self, call: Call, framing: Framing) -> InferRequest:
        """The request with its rows; what they came from is let go."""
        signature, lookup, size = call.served.signature, call.served.lookup, framing.json_bytes
        if lookup is None:
            most = self._limits.rows
            return await self._received(
                call, framing, lambda body: read_request(body, signature, most, size)
            )

        def read(body: bytes) -> tuple[Envelope, Asked | np.ndarray]:
            envelope = read_envelope(body, signature, size)
            asked, envelope.inputs = lookup.reader.read(envelope.inputs), None
            return envelope, asked

        envelope, asked = await self._received(call, framing, read)
        rows, told = await lookup.rows(asked, call.trace)
        return InferRequest(
            *(envelope.id, rows, envelope.outputs, told, envelope.as_bytes, envelope.explain)
        )

    async def _plain(self, call: Call, framing: Framing) -> Answer:
        served = call.served
        rows, told, explain = await self._rows(call, framing)
        if explain:
            telling.check(served, len(rows), self._limits.explained_rows)
        outputs = served.signature.output_names
        answer = await served.batcher.predict(rows, outputs, call.trace, call.prediction)
        found = await telling.explain(served, rows) if explain else None
        if explain and call.trace is not None:
            call.trace.mark("explain")
        stamp = self.stamp
        head = {
            "model_name": stamp.name,
            "model_version": stamp.version,
            "model_digest": stamp.digest,
            "prediction_id": call.prediction,
            **told,
        }
        written = write_predictions(answer, served.signature, head, found)
        return await _finished(framing, written, JSON)

    async def _rows(
        self, call: Call, framing: Framing
    ) -> tuple[np.ndarray, Mapping[str, Any], bool]:
        """The rows sent by name, what is told of those looked up, and whether to explain."""
        served, most = call.served, self._limits.rows
        signature, fields, lookup = served.signature, served.fields, served.lookup
        kind = framing.content_type
        if lookup is None:

            def made(body: bytes) -> tuple[np.ndarray, bool]:
                plain = read_plain(body, kind, fields, most)
                return read_rows(plain.tensors, signature, most), plain.explain

            rows, explain = await self._received(call, framing, made)
            return rows, {}, explain

        def read(body: bytes) -> tuple[Asked | np.ndarray, bool]:
            plain = read_plain(body, kind, fields, most)
            return lookup.reader.read(plain.tensors), plain.explain

        asked, explain = await self._received(call, framing, read)
        return *await lookup.rows(asked, call.trace), explain

    async def _received(self, call: Call, framing: Framing, read: Callable[[bytes], _T]) -> _T:
        """What the body says. From when it is there the request is in flight."""
        packed = compression.is_compressed(framing.encoding)
        if call.body.ended and call.body.size <= self._read_at_once and not packed:
            # It came with its head and is read now: nobody holds it in the meantime.
            self.budget.check(call.body.size)
            self._admit(call)
            return read(call.body.take())
        with self.budget.share() as share:
            body = await read_body(framing.length, call.body, self._limits, share)
            if packed:
                body = await self._unpacked(body, framing, share)
            self._admit(call)
            if len(body) <= LONG_BYTES:
                return read(body)
            return await share.in_thread(lambda: read(body))

    def _admit(self, call: Call) -> None:
        self.gate.enter()
        call.admitted = True

    async def _unpacked(self, body: bytes, framing: Framing, share: Share) -> bytes:
        # In a thread: a small body may be large when it is read.
        most = self._limits.body_bytes
        return await share.in_thread(
            lambda: compression.decompress(body, framing.encoding, most, share.take)
        )


async def _finished(framing: Framing, body: bytes, content_type: bytes, *more: Header) -> Answer:
    """Compressed where the client takes it and it is worth it."""
    if len(body) < compression.LEAST_BYTES or not framing.accepted:
        return Answer(200, body, content_type, more)
    encoding = compression.accepted(framing.accepted)
    if not encoding:
        return Answer(200, body, content_type, more)
    if len(body) > LONG_BYTES:
        packed = await asyncio.to_thread(compression.compress, body, encoding)
    else:
        packed = compression.compress(body, encoding)
    headers = ((b"content-encoding", encoding), (b"vary", b"accept-encoding"), *more)
    return Answer(200, packed, content_type, headers)
