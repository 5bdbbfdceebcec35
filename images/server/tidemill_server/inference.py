"""The way of one inference request: admitted, read, understood, predicted, written."""

from tidemill_server.answers import Answer
from tidemill_server.lifecycle.state import Served
from tidemill_server.limits.body import Headers, Receive, read_body
from tidemill_server.limits.gate import Gate
from tidemill_server.protocol.infer import (
    InferRequest,
    Stamp,
    check_headers,
    read_envelope,
    read_request,
    write_answer,
)
from tidemill_server.settings import Limits


class Inference:
    """Holds what outlives a request: the bounds, and who is inside them."""

    def __init__(self, stamp: Stamp, limits: Limits) -> None:
        self.stamp = stamp
        self._limits = limits
        self._gate = Gate(limits.in_flight)

    @property
    def in_flight(self) -> int:
        return self._gate.count

    async def answer(
        self, served: Served, headers: Headers, receive: Receive, *, prediction: str
    ) -> Answer:
        """The prediction as the protocol writes it; raises ProtocolError or ClientGone."""
        with self._gate:
            check_headers(headers)
            body = await read_body(headers, receive, self._limits)
            if served.lookup is None:
                request = read_request(body, served.signature, self._limits.rows)
            else:
                asked = read_envelope(body, served.signature)
                rows, told = await served.lookup.rows(asked.inputs)
                request = InferRequest(asked.id, rows, asked.outputs, told)
            answer = await served.batcher.predict(request.rows, request.outputs)
            written = write_answer(
                request, answer, served.signature, stamp=self.stamp, prediction=prediction
            )
            return Answer(200, written)
